import { readFileSync } from 'node:fs';

/** The names of docs/reference/metrics.md. */
function documentedMetrics(): ReadonlySet<string> {
  const names = [...readFileSync('docs/reference/metrics.md', 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \|/gm)];
  return new Set(
    names.flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
    ),
  );
}

/** Metrics of ours, of Node and of the process that a query asks for and that the reference does not know. */
export function undocumentedMetrics(query: string): string[] {
  const known = documentedMetrics();
  return [...query.matchAll(/\b(?:try_it_now|process|nodejs)_\w+/g)]
    .map(([name]) => name)
    .filter((name) => !known.has(name));
}
