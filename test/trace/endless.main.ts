/** Traces the file named by the first argument, says when it has begun, and waits for its answer. */
import { createTracer } from '../../extension/core/trace/process.js';

const tracer = createTracer();
setTimeout(() => process.stdout.write('tracing\n'), 3000);
await tracer.trace({ file: process.argv[2]!, expression: 'Model()', context: 4, batch: 1, vocab: 8 });
