/** What the window asks of engines; each is a process of its own, and the client is loaded when it is first needed. */
import type { CpuInfo } from '../core/engine/binding.js';
import type { Description, DescribeRequest } from '../core/engine/requests.js';
import type { Experiment } from '../core/experiments/experiment.js';

export interface Engine {
  /** Writes the run folder and starts its engine; resolves once the folder can be followed. */
  start(experiment: Experiment, root: string): Promise<{ readonly folder: string }>;
  cancel(folder: string): Promise<void>;
  /** What this machine can measure on. */
  devices(): Promise<CpuInfo>;
  /** Traces and compiles a model, and runs nothing of it. Rejects with what is wrong, and where. */
  describe(model: Omit<DescribeRequest, 'method'>): Promise<Description>;
}

/** Starts no process and reads no file until one of them is called. */
export function lazyEngine(): Engine {
  const client = (): Promise<typeof import('../core/engine/client.js')> => import('../core/engine/client.js');
  return {
    start: async (experiment, root) => (await client()).startRun(experiment, root),
    cancel: async (folder) => (await client()).cancelRun(folder),
    devices: async () => (await client()).askOnce<'devices'>({ method: 'devices' }),
    describe: async (model) => (await client()).askOnce<'describe'>({ method: 'describe', ...model }),
  };
}
