import { isInstanceId } from '../../domain/ids.ts';
import type { ContainerSummary } from '../../pool/interfaces/container-runtime.ts';
import { LABEL } from '../labels.ts';

/** `labels` may hold other things beside. A service goes by the name of its app's container. */
export function containerSummary(
  name: string,
  labels: Readonly<Record<string, string>>,
  running: boolean,
): ContainerSummary {
  const { [LABEL.instance]: id, [LABEL.keepUntil]: keepUntil, [LABEL.partOf]: app } = labels;
  return {
    name: app ?? name,
    instanceId: id !== undefined && isInstanceId(id) ? id : undefined,
    ...(keepUntil !== undefined && /^\d{1,15}$/.test(keepUntil) ? { keepUntilMs: Number(keepUntil) } : {}),
    running,
  };
}

/** One for each instance: those of its containers make one, which runs while all of them do. */
export function groupByApp(found: readonly ContainerSummary[]): ContainerSummary[] {
  const groups = new Map<string, ContainerSummary>();
  for (const container of found) {
    const other = groups.get(container.name);
    groups.set(container.name, {
      ...other,
      ...container,
      running: container.running && (other === undefined || other.running),
    });
  }
  return [...groups.values()];
}
