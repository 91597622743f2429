/** A suite registers its tests; the window exists once they run. */
import type { Session } from './session.js';

export type Suite = (window: () => Session) => void;
