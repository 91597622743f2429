/** Where texts and files leave the page: the panel hands them to the extension host, the HTML report to the browser. */
import type { SavedFile } from '../extension/shared/protocol.js';

export interface Outlet {
  /** Title of the run that is shown. */
  title(): string;
  copy(text: string): void | Promise<void>;
  save(file: SavedFile): void;
}

let chosen: Outlet = {
  title: () => '',
  copy: () => Promise.reject(new Error('The page has no outlet.')),
  save: () => undefined,
};

export function outlet(): Outlet {
  return chosen;
}

/** Said once, by the page that is built. */
export function setOutlet(given: Outlet): void {
  chosen = given;
}
