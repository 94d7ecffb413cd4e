import type { WatchedImage } from './image-update.ts';
import type { FleetNode } from './node.ts';
import { whyClosed } from './placement.ts';

/** Why no host looks for new images of this name, or tries them: a clause for people. Undefined: one does. */
export function whyNobodyTries(
  { deciding }: Pick<WatchedImage, 'deciding'>,
  nodes: readonly FleetNode[],
): string | undefined {
  const labels = [...new Set(deciding.flatMap((template) => template.nodes))].sort();
  // What a silent one has is not known.
  const able = nodes.filter(
    ({ heartbeat }) => heartbeat === undefined || labels.every((label) => heartbeat.labels.includes(label)),
  );
  const closed = able.map((node) => whyClosed(node));
  if (closed.includes(undefined)) return undefined;
  const each = able.map(({ name }, at) => `${name}: ${closed[at] ?? ''}`).join('; ');
  const known = able.filter(({ heartbeat }) => heartbeat !== undefined);
  if (known.length > 0 || labels.length === 0) return each === '' ? undefined : each;
  const users = deciding.map(({ name }) => name).join(', ');
  const labelled =
    labels.length === 1 ? `no host has the label ${labels.join()}` : `no host has the labels ${labels.join(' and ')}`;
  return `${labelled}, which ${users} ${deciding.length === 1 ? 'asks' : 'ask'} for${each === '' ? '' : `; ${each}`}`;
}
