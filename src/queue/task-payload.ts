import Value from 'typebox/value';
import { describeError } from '../domain/errors.ts';
import { CleanupTask, ProvisionTask, TASK_VERSION, type Task } from '../domain/task.ts';
import { isProvisionSubject } from './names.ts';

export type DecodedTask =
  | { readonly task: Task }
  /** `isLater`: a newer version of ours may read it. */
  | { readonly task: undefined; readonly problem: string; readonly isLater: boolean };

export function encodeTask(task: Task): string {
  return JSON.stringify(task);
}

/** Never throws: anyone who can publish can put anything on the subject, an older or newer version of ours included. */
export function decodeTask(subject: string, payload: Uint8Array): DecodedTask {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (error) {
    return { task: undefined, problem: `the payload is not JSON (${describeError(error)})`, isLater: false };
  }
  const schema = isProvisionSubject(subject) ? ProvisionTask : CleanupTask;
  if (!Value.Check(schema, value)) {
    const [first] = Value.Errors(schema, value);
    return {
      task: undefined,
      problem:
        'the payload is not a task of a known version ' +
        `(${first === undefined ? 'no detail' : `${first.instancePath || '/'} ${first.message}`})`,
      isLater: isOfLaterVersion(value),
    };
  }
  if (value.kind === 'cleanup' && !subject.endsWith(`.${value.node}`)) {
    return {
      task: undefined,
      problem: `the task is for node ${JSON.stringify(value.node)}, but was found on ${subject}`,
      isLater: false,
    };
  }
  return { task: value };
}

function isOfLaterVersion(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('v' in value)) return false;
  return Number.isInteger(value.v) && Number(value.v) > TASK_VERSION;
}
