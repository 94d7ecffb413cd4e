import type { WatchedImage } from './image-update.ts';
import type { FleetNode } from './node.ts';
import { whyClosed } from './placement.ts';
import type { Template } from './template.ts';

/** Why no host tries new images of this name with one of its templates: a clause for people. Undefined: one does. */
export function whyNobodyTries(
  { deciding }: Pick<WatchedImage, 'deciding'>,
  nodes: readonly FleetNode[],
): string | undefined {
  const reasons = deciding.flatMap((template) => whyNobodyHas(template, nodes) ?? []);
  return reasons.length === 0 ? undefined : [...new Set(reasons)].join('; ');
}

function whyNobodyHas(template: Template, nodes: readonly FleetNode[]): string | undefined {
  const labels = [...template.nodes].sort();
  // What a silent one has is not known.
  const able = nodes.filter(
    ({ heartbeat }) => heartbeat === undefined || labels.every((label) => heartbeat.labels.includes(label)),
  );
  const closed = able.map((node) => whyClosed(node));
  if (closed.includes(undefined)) return undefined;
  const each = able.map(({ name }, at) => `${name}: ${closed[at] ?? ''}`).join('; ');
  const known = able.filter(({ heartbeat }) => heartbeat !== undefined);
  if (known.length > 0 || labels.length === 0) return each === '' ? undefined : each;
  const labelled =
    labels.length === 1 ? `no host has the label ${labels.join()}` : `no host has the labels ${labels.join(' and ')}`;
  return `${labelled}, which ${template.name} asks for${each === '' ? '' : `; ${each}`}`;
}
