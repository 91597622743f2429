/**
 * Builds the native addon into dist/native/crossover.node: with CMake when it is there, otherwise by calling the C++
 * compiler. Nothing is built when neither sources nor flags have changed.
 *
 *   node extension/setup/native.mjs [--sanitize [--run]]
 *
 * `--sanitize` builds dist/native/nativeTests instead: the engine's own tests under AddressSanitizer and UBSan. With
 * `--run` they run, for every instruction set of the machine.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { cached, has, hashOf, root, SetupError, step } from './shell.mjs';

const native = path.join(root, 'native');
const output = path.join(root, 'dist', 'native');
const oneDnnHeader = ['/usr/include', '/usr/local/include', '/opt/homebrew/include'].find((folder) =>
  existsSync(path.join(folder, 'oneapi/dnnl/dnnl.hpp')),
);

/** Builds the addon, or the sanitized tests. */
export async function buildNative({ sanitize }) {
  const product = `dist/native/${sanitize ? 'nativeTests' : 'crossover.node'}`;
  const compiler = process.env.CXX ?? (has('c++') ? 'c++' : 'g++');
  if (!has(compiler))
    throw new SetupError(
      `No C++ compiler was found: install g++ (Debian: apt-get install g++) and run this again.`,
    );
  const salt = [sanitize, has('cmake'), compiler, oneDnnHeader ?? 'portable'].join(' ');
  const key = hashOf(
    ['native', 'extension/setup/native.mjs', 'node_modules/node-addon-api/package.json'],
    salt,
  );
  const name = sanitize ? 'native-tests' : 'native';
  let work = null;
  cached(name, key, [product], () => {
    mkdirSync(output, { recursive: true });
    if (has('cmake')) withCMake(name, sanitize);
    else {
      // `cached` writes its stamp before this build ends: a build that fails must leave no product behind.
      rmSync(path.join(root, product), { force: true });
      work = withCompiler(name, compiler, sanitize);
    }
  });
  if (work !== null) await work;
}

function withCMake(name, sanitize) {
  const build = path.join(root, '.cache', name);
  const flags = [`-DCROSSOVER_OUTPUT=${output}`, `-DCROSSOVER_SANITIZE=${sanitize ? 'ON' : 'OFF'}`];
  step('configure native', 'cmake', ['-S', native, '-B', build, '-DCMAKE_BUILD_TYPE=Release', ...flags]);
  step('compile native', 'cmake', ['--build', build, '--parallel', String(os.availableParallelism())]);
}

const files = (folder) =>
  readdirSync(path.join(native, folder))
    .filter((file) => file.endsWith('.cc'))
    .sort()
    .map((file) => path.join(native, folder, file));

/** What CMakeLists.txt says, for machines without CMake. */
async function withCompiler(name, compiler, sanitize) {
  const objects = path.join(root, '.cache', `${name}-objects`);
  mkdirSync(objects, { recursive: true });
  const x86 = process.arch === 'x64';
  const openmp = process.platform === 'darwin' ? [] : ['-fopenmp'];
  const common = [
    '-std=gnu++17',
    '-fPIC',
    '-fvisibility=hidden',
    '-Wall',
    '-Wno-psabi',
    '-Wno-unknown-pragmas',
  ];
  common.push('-fno-math-errno', '-fno-trapping-math', ...(x86 ? ['-DCROSSOVER_X86'] : []));
  const checked = [
    '-O1',
    '-g',
    '-fno-omit-frame-pointer',
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
  ];
  common.push(...(sanitize ? checked : ['-O3', '-DNDEBUG']));
  const hostFlags = [...openmp, ...(oneDnnHeader ? ['-DCROSSOVER_ONEDNN', `-I${oneDnnHeader}`] : [])];
  const modules = path.join(root, 'node_modules');
  const node = [`-I${modules}/node-addon-api`, `-I${modules}/node-api-headers/include`];
  node.push('-DNAPI_VERSION=8', '-DNAPI_CPP_EXCEPTIONS');
  const sets = { portable: [] };
  if (x86) {
    sets.avx2 = ['-mavx2', '-mfma'];
    sets.avx512 = [
      '-mavx512f',
      '-mavx512bw',
      '-mavx512vl',
      '-mavx512dq',
      '-mfma',
      '-mprefer-vector-width=512',
    ];
  }
  const own = files('.').filter((file) => !sanitize || !/\/(addon|session)\.cc$/.test(file));
  const jobs = [...own, ...files('cpu/host'), ...(sanitize ? files('tests') : [])].map((file) => [
    file,
    hostFlags,
  ]);
  for (const job of jobs) if (/\/(addon|session)\.cc$/.test(job[0])) job[1] = [...job[1], ...node];
  for (const [set, flags] of Object.entries(sets))
    for (const file of files('cpu'))
      jobs.push([file, ['-fopenmp-simd', `-DCROSSOVER_ARCH=${set}`, ...flags]]);
  const made = jobs.map(([file, flags]) => {
    const exact = /\/(normalFill|random)\.cc$/.test(file) ? ['-ffp-contract=off'] : [];
    const args = [...common, ...flags, ...exact, '-c', file];
    const id = createHash('sha256')
      .update([compiler, ...args].join(' '))
      .digest('hex')
      .slice(0, 12);
    return { args, object: path.join(objects, `${path.basename(file, '.cc')}-${id}.o`) };
  });
  const newest = Math.max(...headers().map((file) => statSync(file).mtimeMs));
  const stale = made.filter(({ args, object }) => {
    if (!existsSync(object)) return true;
    const age = statSync(object).mtimeMs;
    return age < newest || age < statSync(args[args.length - 1]).mtimeMs;
  });
  process.stderr.write(`  compile native (${stale.length} files) ... `);
  await inParallel(
    stale.map(
      ({ args, object }) =>
        () =>
          compile(compiler, [...args, '-o', object]),
    ),
  );
  process.stderr.write('done\n');
  const kind = sanitize ? ['-fsanitize=address,undefined'] : ['-shared'];
  if (!sanitize)
    kind.push(...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : ['-Wl,-z,nodelete']));
  const product = path.join(output, sanitize ? 'nativeTests' : 'crossover.node');
  const libraries = [...openmp, ...(oneDnnHeader ? ['-ldnnl'] : []), '-lpthread'];
  step('link native', compiler, [...kind, '-o', product, ...made.map((unit) => unit.object), ...libraries]);
}

const headers = () =>
  readdirSync(native, { recursive: true })
    .filter((file) => String(file).endsWith('.h'))
    .map((file) => path.join(native, String(file)));

/** Runs one compiler; its output is shown when it fails. */
function compile(compiler, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(compiler, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (text) => (errors += text));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve(undefined);
      process.stderr.write(`\n${errors}\n`);
      reject(new SetupError('The native addon does not compile; mend what the compiler printed above.'));
    });
  });
}

async function inParallel(tasks) {
  const queue = tasks.values();
  const worker = async () => {
    for (const task of queue) await task();
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await buildNative({ sanitize: process.argv.includes('--sanitize') });
    if (process.argv.includes('--run'))
      process.exitCode = spawnSync(path.join(output, 'nativeTests'), { stdio: 'inherit' }).status ?? 1;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(3);
  }
}
