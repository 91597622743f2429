"""Entry of the tracer: model sources in, recorded graphs out, both as JSON text.

`trace(request_json) -> response_json` never raises for a fault of the model; it answers with `error`.
The folder of this file must be on `sys.path`; it holds our `torch` and the packages model files import beside it.

Request
    sources       {virtual path: text}: the model file and every file it may import; '/' separates folders
    file          the virtual path, one of `sources`, of the model file
    expression    Python expression in the file's namespace that builds the model; T, V and B are defined
    context, batch, vocab
                  T, B and V
    call          optional expression of the forward call; sees model, idx, targets, T, V and B
    env, args     optional environment variables, and command-line arguments after the file name
    init          optional statement run after construction; sees model, T, V and B
    targets       false: logits only (default true)
    moduleMode    'train' (default) or 'eval'
    weightDecay, learningRate
                  handed to `configure_optimizers` (defaults 0.1 and 1e-3)

Response
    {"ok": trace} or {"error": {"code", "message", "file", "line"}}; `code` is one of TraceError's in tracer.ts,
    file and line are null when no line of the model is to blame.

    trace = {version: 1, files, spans, stacks, scopes, attrs, init, forward, state, optimizer, context, batch, vocab, log}
        files     [path]
        spans     [[file, line, column, endLine, endColumn, function]]
        stacks    [[span]], scopes [path], attrs [{name: value}]
        init, forward = {values, nodes, constants, customVjps, outputs}, sharing the tables above
            values     [[dtype, ...shape]]
            nodes      [[op, [input], [output], attrs, stack, scope, phase]]
            constants  [base64]
            customVjps [[inputs, outputs, cotangents, gradients]]
            outputs    {name: value}
        state     [[kind, [name], value of init, requiresGrad]]
        optimizer null or [[[state index], lrScale, weightDecay, beta1, beta2, eps]]

Decorator for model files: `from crossover import fused`; `@fused('wkv7') def wkv7(r, logw, k, v, a, b, state=None)` is
replaced by the native operation of that name while tracing. The function takes the operation's inputs in the order of
VOCABULARY.md and returns its outputs, `(y, state)`.
"""

from crossover_tracer.entry import trace

__all__ = ["trace"]
