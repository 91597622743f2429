/** What a number was measured on. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, platform, release } from 'node:os';
import path from 'node:path';
import type { Environment } from '../../shared/report.js';
import type { CpuInfo } from '../engine/binding.js';
import { distPath } from '../paths.js';
import type { Experiment } from './experiment.js';

/** Version of Crossover from its package.json. */
export function crossoverVersion(): string {
  try {
    const text = readFileSync(path.join(distPath(), '..', 'package.json'), 'utf8');
    return (JSON.parse(text) as { version?: string }).version ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Fingerprint of machine, software and sources; the data is filled in once it has been read. */
export function describeEnvironment(experiment: Experiment, cpu: CpuInfo, root: string): Environment {
  const commit = git(root, 'rev-parse', 'HEAD');
  return {
    crossover: crossoverVersion(),
    node: process.versions.node,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpu.model,
    threads: experiment.threads ?? cpu.threads,
    instructionSet: cpu.instructionSet,
    oneDnn: cpu.oneDnn,
    memoryBytes: cpu.memoryBytes,
    gitCommit: commit,
    gitDirty: commit === null ? null : git(root, 'status', '--porcelain', '--untracked-files=no') !== '',
    dataHash: null,
    dataDescription: null,
    peakFlopsPerSecond: null,
    device: experiment.device,
    precision: experiment.precision,
  };
}

function git(root: string, ...args: readonly string[]): string | null {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
    }).trim();
  } catch {
    return null;
  }
}
