/** Beyond it a term would underflow, and the normal distribution is as good. */
const LARGE_MEAN = 500;

/** P(X ≤ k) of a Poisson distribution with this mean. */
export function poissonAtMost(k: number, mean: number): number {
  if (k < 0) return 0;
  if (mean <= 0) return 1;
  if (mean > LARGE_MEAN) return normalBelow((k + 0.5 - mean) / Math.sqrt(mean));
  let term = Math.exp(-mean);
  let sum = term;
  for (let at = 1; at <= k; at += 1) {
    term *= mean / at;
    sum += term;
  }
  return Math.min(1, sum);
}

/** Φ(z), good to 1e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17. */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z >= 0 ? 1 - tail : tail;
}
