/** Elements in one expression. Text only ever goes in as text, never as markup. */

type Child = Node | string;

/** Makes an element with attributes (`false` leaves one out, `true` sets it empty) and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string | boolean>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/** The same for a custom element. */
export function custom(
  name: string,
  attributes: Readonly<Record<string, string | boolean>> = {},
  ...children: readonly Child[]
): HTMLElement {
  const made = document.createElement(name);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

function setAttributes(target: Element, attributes: Readonly<Record<string, string | boolean>>): void {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== false) target.setAttribute(key, value === true ? '' : value);
  }
}

/**
 * Replaces the children of an element unless they are the same already, so that live updates do not flicker. The keyboard
 * stays on what has the same `data-focus`, and what was scrolled sideways stays so.
 */
export function fill(target: Element, ...children: readonly Child[]): void {
  const next = children.map((child) => (typeof child === 'string' ? document.createTextNode(child) : child));
  const same =
    next.length === target.childNodes.length &&
    next.every((node, index) => node.isEqualNode(target.childNodes.item(index)));
  if (same) return;
  const focused = target.contains(document.activeElement)
    ? document.activeElement?.getAttribute('data-focus')
    : null;
  const scrolled = [...target.querySelectorAll('.scroll')].map(({ scrollLeft }) => scrollLeft);
  target.replaceChildren(...next);
  target.querySelectorAll('.scroll').forEach((element, index) => {
    element.scrollLeft = scrolled[index] ?? 0;
  });
  for (const held of target.querySelectorAll<HTMLElement>('[data-focus]'))
    if (held.dataset['focus'] === focused) held.focus({ preventScroll: true });
}
