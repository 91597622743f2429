/** The HTML report's way out: the clipboard of the browser, and downloads. */
import type { SavedFile } from '../extension/shared/protocol.js';
import { element } from './dom.js';
import type { Outlet } from './outlet.js';

const KEEP_MS = 60_000;

export const browserOutlet = (title: string): Outlet => ({
  title: () => title,
  copy: async (text) => {
    // A file that was opened from disk has the modern clipboard in some browsers only.
    const { clipboard } = navigator as { clipboard?: Clipboard };
    try {
      if (clipboard === undefined) throw new Error('no clipboard');
      await clipboard.writeText(text);
    } catch {
      copySelected(text);
    }
  },
  save: (file) => {
    const address = URL.createObjectURL(blobOf(file));
    element('a', { href: address, download: file.name }).click();
    setTimeout(() => {
      URL.revokeObjectURL(address);
    }, KEEP_MS);
  },
});

/** Copies as a person would: by selecting. */
function copySelected(text: string): void {
  const back = document.activeElement;
  const area = element('textarea', { class: 'unseen', 'aria-hidden': 'true' });
  area.value = text;
  document.body.append(area);
  area.select();

  const copied = document.execCommand('copy');
  area.remove();
  if (back instanceof HTMLElement) back.focus();
  if (!copied) throw new Error('not allowed');
}

function blobOf({ kind, data }: SavedFile): Blob {
  if (kind === 'csv') return new Blob([data], { type: 'text/csv' });
  return new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type: 'image/png' });
}
