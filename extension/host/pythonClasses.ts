/** Classes of a Python file, read from its text without running it. */

export interface PythonField {
  readonly name: string;
  readonly annotation: string | null;
  /** Source text of the default; `null` without one. */
  readonly default: string | null;
}

export interface PythonClass {
  readonly name: string;
  readonly bases: readonly string[];
  readonly isDataclass: boolean;
  /** Annotated class attributes, in order. */
  readonly fields: readonly PythonField[];
  /** Of `__init__`, without `self`, `*args` and `**kwargs`. */
  readonly parameters: readonly PythonField[];
  /** Text of the class without comments and strings' contents. */
  readonly body: string;
  /** First and last line, from 1. */
  readonly line: number;
  readonly lastLine: number;
  /** Lines of `forward`, from 1; `null` where the class has none of its own. */
  readonly forward: { readonly line: number; readonly lastLine: number } | null;
}

/** Top-level classes in the order of the file. */
export function pythonClasses(source: string): PythonClass[] {
  const lines = blank(source).split('\n');
  const classes: PythonClass[] = [];
  for (let start = 0; start < lines.length; start++) {
    const name = /^class\s+(\w+)/.exec(lines[start] ?? '')?.[1];
    if (name === undefined) continue;
    let end = start + 1;
    while (end < lines.length && !/^[^\s#)\]}]/.test(lines[end] ?? '')) end++;
    const text = lines.slice(start, end).join('\n');
    const open = /^class\s+\w+\s*\(/.exec(text);
    const bases = open === null ? '' : enclosed(text, open[0].length - 1);
    const body = text.slice(text.indexOf(':', open === null ? 0 : open[0].length + bases.length) + 1);
    const decorators = lines.slice(Math.max(0, start - 4), start).join('\n');
    const constructor = /\bdef\s+__init__\s*\(/.exec(body);
    classes.push({
      name,
      bases: split(bases).filter((base) => !base.includes('=')),
      isDataclass:
        /@(\w+\.)?dataclass\b[^\n]*\n?[^\n]*$/.test(decorators.trimEnd()) || bases.includes('BaseModel'),
      fields: fieldsOf(body),
      parameters:
        constructor === null
          ? []
          : parametersOf(enclosed(body, constructor.index + constructor[0].length - 1)),
      body,
      line: start + 1,
      lastLine: lastOf(lines, start, end),
      forward: forwardOf(lines, start, end),
    });
  }
  return classes;
}

/** The last line, from 1, that has something on it in the lines from `start` up to `end` (from 0). */
function lastOf(lines: readonly string[], start: number, end: number): number {
  let last = end;
  while (last > start + 1 && (lines[last - 1] ?? '').trim() === '') last--;
  return last;
}

function forwardOf(lines: readonly string[], start: number, end: number): PythonClass['forward'] {
  for (let at = start + 1; at < end; at++) {
    const indent = /^([ \t]+)(?:async\s+)?def\s+forward\s*\(/.exec(lines[at] ?? '')?.[1];
    if (indent === undefined) continue;
    // The body is deeper than its `def`; closing brackets of the signature may stand at the same depth.
    const outside = new RegExp(`^\\s{0,${indent.length}}[^\\s)\\]}]`);
    let next = at + 1;
    while (next < end && !outside.test(lines[next] ?? '')) next++;
    return { line: at + 1, lastLine: lastOf(lines, at, next) };
  }
  return null;
}

/** The source with comments and the contents of strings replaced by spaces, so that brackets and words can be counted. */
function blank(source: string): string {
  const pattern = /("""|''')[\s\S]*?\1|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#[^\n]*/g;
  return source.replace(pattern, (match) => {
    if (match.startsWith('#')) return '';
    const quote = match.startsWith('"""') || match.startsWith("'''") ? match.slice(0, 3) : match.slice(0, 1);
    return quote + match.slice(quote.length, -quote.length).replace(/[^\n]/g, ' ') + quote;
  });
}

/** Text between the bracket at `open` and its partner. */
function enclosed(text: string, open: number): string {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    const character = text.charAt(at);
    if ('([{'.includes(character)) depth++;
    if (')]}'.includes(character) && --depth === 0) return text.slice(open + 1, at);
  }
  return '';
}

/** Splits at commas outside brackets; parts are trimmed and not empty. */
function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if ('([{'.includes(character)) depth++;
    if (')]}'.includes(character)) depth--;
    if (character === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  return [...parts, part].map((item) => item.replace(/\s+/g, ' ').trim()).filter((item) => item !== '');
}

function parametersOf(text: string): PythonField[] {
  return split(text).flatMap((part, index) => {
    if ((index === 0 && /^(self|this|s)\b/.test(part)) || part.startsWith('*') || part === '/') return [];
    const match = /^(\w+)\s*(?::\s*([^=]+?))?\s*(?:=\s*(.+))?$/.exec(part);
    const name = match?.[1];
    return name === undefined ? [] : [{ name, annotation: match?.[2] ?? null, default: match?.[3] ?? null }];
  });
}

/** Annotated attributes at the class's own indentation. */
function fieldsOf(body: string): PythonField[] {
  const indent = /\n([ \t]+)\S/.exec('\n' + body.replace(/^[^\n]*\n/, ''))?.[1];
  if (indent === undefined) return [];
  const fields: PythonField[] = [];
  for (const line of body.split('\n')) {
    if (!line.startsWith(indent)) continue;
    const match = /^(\w+)\s*:\s*([^=]+?)\s*(?:=\s*(.+?))?\s*$/.exec(line.slice(indent.length));
    const [, name, annotation, value] = match ?? [];
    if (name !== undefined && annotation !== undefined)
      fields.push({ name, annotation, default: value ?? null });
  }
  return fields;
}
