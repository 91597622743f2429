/**
 * Runs, as the command line and the extension see them. To start and cancel one: `../engine/client.js`.
 *   listRuns(root), readReport(folder), followRun(folder, onReport, onError) -> disposable, runEnded(folder, onReport)
 */
export { listRuns, runsFolder, type RunEntry } from './list.js';
export { readMark, writeMark, type RunMark } from './mark.js';
export { overlay } from './overlay.js';
export { deleteRun } from './remove.js';
export { logFile, readRecord, reportFile, type RunRecord } from './record.js';
export { RunBusyError, RunError, messageOf } from './runError.js';
export { followRun, readReport, runEnded, type Disposable } from './watch.js';
