import { writeFileSync } from 'node:fs';
import { renderHtmlReport } from '../core/report/html.js';
import { writeProblem } from '../core/fileProblem.js';
import type { Report } from '../shared/report.js';

/** Writes the self-contained HTML report. Throws one sentence when the file cannot be written. */
export function writeHtml(report: Report, file: string): void {
  const html = renderHtmlReport(report);
  try {
    writeFileSync(file, html);
  } catch (error) {
    throw new Error(`The report could not be written to ${file} (${writeProblem(error)}).`);
  }
}
