/** Answers requests inside the engine process. */
import { writeSafetensors } from '../checkpoints/safetensors.js';
import { int64Bytes } from '../data/tokenStream.js';
import { resolveModel } from '../experiments/modelSource.js';
import { Random } from '../stats/random.js';
import { loadAddon } from './addon.js';
import { attribute } from './attribution.js';
import type { NativeSession } from './binding.js';
import { Decoder } from './decoder.js';
import { Generator } from './generator.js';
import { LoadedModel } from './model.js';
import type { Mode, PrepareOptions, Prepared } from './prepare.js';
import { Preparer } from './preparer.js';
import type {
  Answers,
  Decoded,
  DecodeRequest,
  DescribeRequest,
  Description,
  EngineRequest,
  EvaluateRequest,
  Evaluation,
  Loaded,
  LoadRequest,
  OpenDecoderRequest,
  OpenedDecoder,
  StepRequest,
  Steps,
} from './requests.js';

const TOKENS_SEED = 1337;

/** Holds what requests share: a tracer, a session and the loaded model. */
export class Service {
  readonly #preparer = new Preparer();
  #session: NativeSession | null = null;
  #threads: number | undefined;
  #loaded: LoadedModel | null = null;
  #generator: Generator | null = null;
  #step = 0;

  async answer(request: EngineRequest): Promise<Answers[keyof Answers]> {
    switch (request.method) {
      case 'devices':
        return loadAddon().devices();
      case 'describe':
        return this.#describe(request);
      case 'evaluate':
        return this.#evaluate(request);
      case 'load':
        return this.#load(request);
      case 'step':
        return this.#steps(request);
      case 'openDecoder':
        return this.#openDecoder(request);
      case 'decode':
        return this.#decode(request);
    }
  }

  async #prepare(
    request: DescribeRequest | EvaluateRequest | LoadRequest,
    modes: readonly Mode[],
    more: Partial<PrepareOptions> = {},
  ): Promise<Prepared> {
    const model = resolveModel(request.model, request.root);
    const { context, batch, vocab, precision } = request;
    return this.#preparer.prepare(model, { context, batch, vocab, precision, modes, ...more });
  }

  #use(threads: number | undefined): NativeSession {
    if (this.#session !== null && threads !== this.#threads) {
      this.#loaded?.dispose();
      this.#loaded = null;
      this.#generator?.dispose();
      this.#generator = null;
      this.#session.dispose();
      this.#session = null;
    }
    this.#threads = threads;
    this.#session ??= loadAddon().createSession(threads === undefined ? {} : { threads });
    return this.#session;
  }

  async #describe(request: DescribeRequest): Promise<Description> {
    const prepared = await this.#prepare(request, ['train']);
    const compiled = prepared.programs.get('train')!;
    const counts = (key: 'flops' | 'bytes', phase: string): number[] =>
      compiled.instructions.map((origin) => (origin.phase === phase ? origin[key] : 0));
    const lines = attribute(
      compiled.instructions,
      counts('flops', 'forward'),
      prepared.tables,
      (file) => file,
    ).lines;
    const backward = attribute(
      compiled.instructions,
      counts('flops', 'backward'),
      prepared.tables,
      (file) => file,
    ).lines;
    return {
      label: prepared.model.label,
      parameters: prepared.parameters,
      embeddingParameters: prepared.embeddingParameters,
      nodes: prepared.nodes,
      instructions: compiled.instructions.length,
      flopsForward: compiled.flops.forward,
      flopsBackward: compiled.flops.backward,
      flopsOptimizer: compiled.flops.optimizer,
      peakBytes: compiled.peakBytes,
      stateBytes: compiled.stateBytes,
      arenaBytes: compiled.arenaBytes,
      ioBytes: compiled.ioBytes,
      // Times were FLOPs here: a "millisecond" of attribute() is 1e6 of what it was given.
      lines: lines
        .filter(({ file }) => file !== '')
        .map(({ file, line, forwardMs, bytes }) => ({
          file,
          line,
          flopsForward: forwardMs * 1e6,
          flopsBackward:
            (backward.find((other) => other.file === file && other.line === line)?.backwardMs ?? 0) * 1e6,
          bytes,
        })),
      tensors: prepared.state.map(({ name, kind, type }) => ({ name, kind, shape: type.shape })),
      traceMs: prepared.traceMs,
      compileMs: prepared.compileMs,
      log: prepared.log,
    };
  }

  async #evaluate(request: EvaluateRequest): Promise<Evaluation> {
    const mode = request.gradients ? 'gradients' : 'forward';
    const keepLogits = request.wantLogits || request.exportResults !== undefined;
    const prepared = await this.#prepare(request, [mode], {
      keepLogits,
      targets: request.targets !== null,
    });
    const session = this.#use(request.threads);
    const model = await LoadedModel.load(session, prepared, request.seed);
    try {
      if (request.exportWeights !== undefined) model.state.exportWeights(request.exportWeights);
      const inputs = {
        idx: int64Bytes(Int32Array.from(request.idx)),
        ...(request.targets === null
          ? {}
          : { targets: int64Bytes(targetsOf(request.targets, prepared.ignoreIndex)) }),
      };
      const result = request.gradients
        ? await model.gradients(inputs)
        : { ...(await model.forward(inputs)), gradients: new Map<number, Float32Array>() };
      const shape = model.logitsShape(mode);
      if (request.exportResults !== undefined)
        writeResults(request.exportResults, prepared, result.gradients, result.logits, shape);
      const norms = [...result.gradients].map(([index, values]) => [
        prepared.state[index]!.name,
        normOf(values),
      ]);
      return {
        label: prepared.model.label,
        loss: Number.isNaN(result.loss) && request.targets === null ? null : result.loss,
        logits: request.wantLogits && result.logits !== null ? { shape, values: [...result.logits] } : null,
        gradientNorms: Object.fromEntries(norms) as Record<string, number>,
        unusedWeights: model.state.unusedWeights,
        weightNotes: model.state.weightNotes,
      };
    } finally {
      model.dispose();
    }
  }

  async #load(request: LoadRequest): Promise<Loaded> {
    this.#loaded?.dispose();
    this.#loaded = null;
    this.#step = 0;
    const prepared = await this.#prepare(request, ['train']);
    // Measured from here on: the tracer's processes must not share the cores.
    await this.#preparer.dispose();
    this.#loaded = await LoadedModel.load(this.#use(request.threads), prepared, request.seed);
    return {
      peakBytes: prepared.programs.get('train')!.peakBytes,
      parameters: prepared.parameters,
      traceMs: prepared.traceMs,
      compileMs: prepared.compileMs,
    };
  }

  async #openDecoder(request: OpenDecoderRequest): Promise<OpenedDecoder> {
    this.#generator?.dispose();
    this.#generator = null;
    const { capacity, vocab, precision, prompt, seed, sampling } = request;
    const model = resolveModel(request.model, request.root);
    const options = { capacity, vocab, precision, prompts: [prompt.length] };
    const prepared = await this.#preparer.prepareDecoder(model, options);
    await this.#preparer.dispose();
    const decoder = await Decoder.load(this.#use(request.threads), prepared, seed);
    this.#generator = new Generator(decoder, sampling, seed);
    const promptMs = await this.#generator.start(prompt);
    const { weightNotes } = decoder.state;
    return { label: model.label, promptMs, stateBytes: decoder.stateBytes(decoder.position), weightNotes };
  }

  async #decode({ count }: DecodeRequest): Promise<Decoded> {
    if (this.#generator === null) throw new Error('No model is loaded for decoding.');
    return this.#generator.next(count);
  }

  async #steps(request: StepRequest): Promise<Steps> {
    const model = this.#loaded;
    if (model === null) throw new Error('No model is loaded.');
    const { context, batch, vocab } = model.prepared;
    const samplesMs: number[] = [];
    const losses: number[] = [];
    for (let i = 0; i < request.count; i++) {
      this.#step += 1;
      const random = new Random(TOKENS_SEED + this.#step);
      const draw = (): Uint8Array =>
        int64Bytes(Int32Array.from({ length: batch * context }, () => random.below(vocab)));
      const inputs = { idx: draw(), targets: draw() };
      const { learningRate, clip } = request;
      const result = await model.step(inputs, { learningRate, step: this.#step, clip });
      samplesMs.push(result.ms);
      losses.push(result.loss);
    }
    return { samplesMs, losses, peakResidentBytes: process.resourceUsage().maxRSS * 1024 };
  }
}

/** -1 becomes what the model's own loss leaves out. */
function targetsOf(targets: readonly number[], ignoreIndex: number | null): Int32Array {
  return Int32Array.from(targets, (target) => (target === -1 ? (ignoreIndex ?? -1) : target));
}

function normOf(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

function writeResults(
  file: string,
  prepared: Prepared,
  gradients: ReadonlyMap<number, Float32Array>,
  logits: Float32Array | null,
  shape: readonly number[],
): void {
  const bytes = (values: Float32Array): Uint8Array =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const tensors = [...gradients].map(([index, values]) => {
    const { name, type } = prepared.state[index]!;
    return { name, storage: 'f32' as const, shape: type.shape, bytes: bytes(values) };
  });
  if (logits !== null) tensors.push({ name: 'output.logits', storage: 'f32', shape, bytes: bytes(logits) });
  writeSafetensors(file, tensors);
}
