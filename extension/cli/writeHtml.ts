import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { renderHtmlReport } from '../core/report/html.js';
import { writeProblem } from '../core/fileProblem.js';
import type { Report } from '../shared/report.js';

/** Writes the self-contained HTML report, whole or not at all. Throws one sentence when the file cannot be written. */
export function writeHtml(report: Report, file: string): void {
  const html = renderHtmlReport(report);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, html);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Error(`The report could not be written to ${file} (${writeProblem(error)}).`);
  }
}
