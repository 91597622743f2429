/**
 * System packages: what each is for, how to see that it is there, and its name for apt, dnf and brew.
 * Installed with apt when this process may (root on Debian or Ubuntu); otherwise the one command to type is printed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { has, step } from './shell.mjs';

const includes = ['/usr/include', '/usr/local/include', '/opt/homebrew/include'];
const header = (name) => includes.some((folder) => existsSync(`${folder}/${name}`));
const pythonCan = (module) =>
  spawnSync('python3', ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0;

const building = [
  {
    purpose: 'C++ compiler',
    present: () => has('g++') || has('c++'),
    apt: 'g++',
    dnf: 'gcc-c++',
    brew: 'gcc',
  },
  { purpose: 'cmake', present: () => has('cmake'), apt: 'cmake', dnf: 'cmake', brew: 'cmake' },
  { purpose: 'make', present: () => has('make'), apt: 'make', dnf: 'make', brew: 'make' },
  {
    purpose: 'oneDNN, for fast matrix products',
    present: () => header('dnnl.h') || header('oneapi/dnnl/dnnl.h'),
    apt: 'libdnnl-dev',
    dnf: 'onednn-devel',
    brew: 'onednn',
  },
];

const testing = [
  {
    purpose: 'Chromium, for end-to-end tests',
    present: () => has('chromium') || has('google-chrome'),
    apt: 'chromium',
    dnf: 'chromium',
    brew: 'chromium',
  },
  {
    purpose: 'Kerberos headers, for code-server',
    present: () => header('gssapi.h') || header('gssapi/gssapi.h'),
    apt: 'libkrb5-dev',
    dnf: 'krb5-devel',
    brew: 'krb5',
  },
  {
    purpose: 'Python, for parity tests',
    present: () => has('python3'),
    apt: 'python3',
    dnf: 'python3',
    brew: 'python',
  },
  {
    purpose: 'Python virtual environments',
    present: () => pythonCan('ensurepip, venv'),
    apt: 'python3-venv',
    dnf: 'python3',
    brew: 'python',
  },
  {
    purpose: 'clang-format',
    present: () => has('clang-format'),
    apt: 'clang-format',
    dnf: 'clang-tools-extra',
    brew: 'clang-format',
  },
];

/** Installs what is missing or says how; returns the purposes still missing. */
export function systemPackages({ tests }) {
  const missing = [...building, ...(tests ? testing : [])].filter((item) => !item.present());
  if (missing.length === 0) return [];
  const names = (manager) => [...new Set(missing.map((item) => item[manager]))];
  if (has('apt-get') && process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    step('package lists', 'apt-get', ['update', '-qq'], { env, optional: true });
    step(
      `system packages: ${names('apt').join(' ')}`,
      'apt-get',
      ['install', '-y', '-qq', '--no-install-recommends', ...names('apt')],
      { env, optional: true },
    );
  } else {
    const command = has('apt-get')
      ? `sudo apt-get install -y ${names('apt').join(' ')}`
      : has('dnf')
        ? `sudo dnf install -y ${names('dnf').join(' ')}`
        : `brew install ${names('brew').join(' ')}`;
    process.stderr.write(
      `  Not installed: ${missing.map((item) => item.purpose).join('; ')}.\n  To install: ${command}\n`,
    );
  }
  return missing.filter((item) => !item.present()).map((item) => item.purpose);
}
