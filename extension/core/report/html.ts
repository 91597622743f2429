/** The report of a run as one HTML file: script, style and numbers inside, so that it works offline and can be sent. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Report } from '../../shared/report.js';
import { thinned } from '../../shared/lossColumns.js';
import { distPath } from '../paths.js';

/** Training losses in one file: some 10 MB. */
const MOST_LOSSES = 100_000;

/**
 * Renders a report, light or dark as the reader's system is. Its content security policy admits exactly the script and
 * the style inside it, and no network. Throws when the bundles have not been built.
 */
export function renderHtmlReport(report: Report): string {
  const script = bundle('report.js').replaceAll('</script', '<\\/script').trim();
  const style = bundle('report.css').trim();
  const data = JSON.stringify(thinned(report, MOST_LOSSES)).replaceAll('<', '\\u003c');
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; img-src data:`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(report.title)} - Crossover</title>
<style>${style}</style>
</head>
<body>
<main id="root"></main>
<script type="application/json" id="report">${data}</script>
<script>${script}</script>
</body>
</html>
`;
}

function bundle(name: string): string {
  const file = distPath('webview', name);
  try {
    return readFileSync(file, 'utf8').replace(/\n?\/[/*]# sourceMappingURL=.*$/m, '');
  } catch {
    throw new Error(`${file} is missing: run \`npm run setup\` to build it.`);
  }
}

/** A source of a content security policy. */
function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
