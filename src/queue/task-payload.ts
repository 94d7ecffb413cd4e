import Value from 'typebox/value';
import { describeError } from '../domain/errors.ts';
import { CleanupTask, ProvisionTask, type Task } from '../domain/task.ts';
import { isProvisionSubject } from './names.ts';

export type DecodedTask = { readonly task: Task } | { readonly task: undefined; readonly problem: string };

export function encodeTask(task: Task): string {
  return JSON.stringify(task);
}

/** Never throws: anyone who can publish can put anything on the subject, an older or newer version of ours included. */
export function decodeTask(subject: string, payload: Uint8Array): DecodedTask {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (error) {
    return { task: undefined, problem: `the payload is not JSON (${describeError(error)})` };
  }
  const schema = isProvisionSubject(subject) ? ProvisionTask : CleanupTask;
  if (!Value.Check(schema, value)) {
    const [first] = Value.Errors(schema, value);
    return {
      task: undefined,
      problem:
        'the payload is not a task of a known version ' +
        `(${first === undefined ? 'no detail' : `${first.instancePath || '/'} ${first.message}`})`,
    };
  }
  if (value.kind === 'cleanup' && !subject.endsWith(`.${value.node}`)) {
    return {
      task: undefined,
      problem: `the task is for node ${JSON.stringify(value.node)}, but was found on ${subject}`,
    };
  }
  return { task: value };
}
