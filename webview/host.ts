/** The way to the extension host, typed. */
import type { PanelMessage, PanelState } from '../extension/shared/protocol.js';

interface Host {
  postMessage(message: PanelMessage): void;
  setState(state: PanelState): void;
}

declare function acquireVsCodeApi(): Host;

export const host: Host = acquireVsCodeApi();
