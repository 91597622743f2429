/** Scalar functions in float64 that JavaScript lacks. */

/** Error function to about 1e-15, by the all-positive series e^(-x^2) sum 2^n x^(2n+1) / (2n+1)!! (DLMF 7.6.2). */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 200 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold. */
export function softplus(x: number, beta: number, threshold: number): number {
  const scaled = x * beta;
  if (scaled > threshold) return x;
  return (Math.max(scaled, 0) + Math.log1p(Math.exp(-Math.abs(scaled)))) / beta;
}

/** x Phi(x), arXiv 1606.08415. */
export function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x * Math.SQRT1_2));
}

export function geluGrad(x: number): number {
  return 0.5 * (1 + erf(x * Math.SQRT1_2)) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** The tanh approximation of the same paper. */
export function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(TANH_SCALE * (x + CUBIC * x * x * x)));
}

export function geluTanhGrad(x: number): number {
  const t = Math.tanh(TANH_SCALE * (x + CUBIC * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * TANH_SCALE * (1 + 3 * CUBIC * x * x);
}

/** Ties go to the even neighbour, as torch.round. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
