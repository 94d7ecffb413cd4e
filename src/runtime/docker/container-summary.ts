import { isInstanceId } from '../../domain/ids.ts';
import type { ContainerSummary } from '../../pool/interfaces/container-runtime.ts';
import { LABEL } from '../labels.ts';

/** `labels` may hold other things beside. */
export function containerSummary(
  name: string,
  labels: Readonly<Record<string, string>>,
  running: boolean,
): ContainerSummary {
  const { [LABEL.instance]: id, [LABEL.keepUntil]: keepUntil } = labels;
  return {
    name,
    instanceId: id !== undefined && isInstanceId(id) ? id : undefined,
    ...(keepUntil !== undefined && /^\d{1,15}$/.test(keepUntil) ? { keepUntilMs: Number(keepUntil) } : {}),
    running,
  };
}
