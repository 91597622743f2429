/** Crossover's tools for agents anywhere, over the Model Context Protocol on standard input and output. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, ListToolsRequestSchema, type Tool } from '@modelcontextprotocol/sdk/types.js';
import {
  experimentOf,
  readInput,
  TOOL_NAMES,
  TOOLS,
  type ToolName,
  traceInput,
} from '../core/agents/tools.js';
import { askOnce, cancelRun, startRun } from '../core/engine/client.js';
import { crossoverVersion } from '../core/experiments/environment.js';
import { descriptionMarkdown, reportMarkdown } from '../core/report/markdown.js';
import { messageOf, runEnded } from '../core/runs/index.js';
import type { Progress } from '../shared/report.js';

/** What a call is told of while it runs. */
interface Listener {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
}

/** Answers until standard input closes. Relative model files are read from `root`, and runs are kept below it. */
export async function serveTools(root: string): Promise<void> {
  const server = new Server(
    { name: 'crossover', version: crossoverVersion() },
    { capabilities: { tools: {} } },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: TOOL_NAMES.map(describe) }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal, sendNotification, _meta }) => {
    const token = _meta?.progressToken;
    const progress = ({ message, fraction }: Progress): void => {
      if (token === undefined) return;
      const state = { progressToken: token, progress: fraction, total: 1, message };
      void sendNotification({ method: 'notifications/progress', params: state });
    };
    try {
      const text = await call(params.name, params.arguments ?? {}, root, { signal, progress });
      return { content: [{ type: 'text', text }] };
    } catch (error) {
      return { isError: true, content: [{ type: 'text', text: messageOf(error) }] };
    }
  });
  const closed = new Promise<void>((resolve) => {
    server.onclose = resolve;
    process.stdin.once('end', () => void server.close());
  });
  await server.connect(new StdioServerTransport());
  await closed;
}

function describe(name: ToolName): Tool {
  const { title, description, inputSchema } = TOOLS[name];
  // Runs leave a folder of results and change nothing else.
  const annotations = { title, readOnlyHint: name === 'trace', destructiveHint: false, openWorldHint: false };
  return {
    name,
    description,
    inputSchema: {
      type: 'object',
      properties: { ...inputSchema.properties },
      required: [...inputSchema.required],
    },
    annotations,
  };
}

async function call(name: string, input: unknown, root: string, listener: Listener): Promise<string> {
  const tool = TOOL_NAMES.find((one) => one === name);
  if (tool === undefined)
    throw new Error(`There is no tool "${name}"; the tools are ${TOOL_NAMES.join(', ')}.`);
  readInput(tool, input);
  return tool === 'trace' ? trace(input, root) : measure(tool, input, root, listener);
}

async function trace(input: unknown, root: string): Promise<string> {
  const { model, context, batch, vocab } = traceInput(input);
  const where = { root, context, batch, vocab, precision: 'fp32' } as const;
  const found = await askOnce<'describe'>({ method: 'describe', model: { source: model }, ...where });
  return descriptionMarkdown(found, context, batch);
}

async function measure(
  name: Exclude<ToolName, 'trace'>,
  input: unknown,
  root: string,
  { signal, progress }: Listener,
): Promise<string> {
  const { folder } = await startRun(experimentOf(name, input), root);
  const cancel = (): void => void cancelRun(folder);
  signal.addEventListener('abort', cancel);
  try {
    const ended = await runEnded(folder, (report) => {
      if (report.progress !== null) progress(report.progress);
    });
    return reportMarkdown(ended, folder);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
