import { type EngineProcess, openEngine } from '../core/engine/client.js';

/** Runs with an engine that is closed afterwards, also on Ctrl-C. */
export async function withEngine<T>(work: (engine: EngineProcess) => Promise<T>): Promise<T> {
  const engine = openEngine();
  const stop = (): void => {
    engine.dispose();
    process.exit(3);
  };
  process.once('SIGINT', stop);
  try {
    return await work(engine);
  } finally {
    process.off('SIGINT', stop);
    engine.dispose();
  }
}
