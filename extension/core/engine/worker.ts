/**
 * The engine process. It owns the addon.
 *   engine.js run FOLDER   runs the experiment of a run folder and writes its results there
 *   engine.js serve        answers requests of the parent over IPC
 * As a thread of itself it traces and compiles (preparer.ts).
 */
import { executeRun } from './executeRun.js';
import { isMainThread } from 'node:worker_threads';
import { servePreparations } from './preparer.js';
import type { ReplyMessage, RequestMessage } from './requests.js';
import { Service } from './service.js';
import { toWire } from './wireError.js';

/** One request at a time, in the order they came. */
function serve(): void {
  const service = new Service();
  let queue = Promise.resolve();
  process.on('message', ({ id, request }: RequestMessage) => {
    queue = queue.then(async () => {
      const reply: ReplyMessage = await service.answer(request).then(
        (answer) => ({ id, answer }),
        (error: unknown) => ({ id, error: toWire(error) }),
      );
      process.send?.(reply);
    });
  });
  process.once('disconnect', () => process.exit(0));
}

const [command, folder] = process.argv.slice(2);
if (!isMainThread) {
  servePreparations();
} else if (command === 'run' && folder !== undefined) {
  process.exit(await executeRun(folder));
} else if (command === 'serve' && process.send !== undefined) {
  serve();
} else {
  process.stderr.write(
    'This is the engine of Crossover; it is started by `crossover` and by the extension.\n',
  );
  process.exit(2);
}
