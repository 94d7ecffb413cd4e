import type { Values, VariableName } from './variables.ts';

const LOGINS = ['NATS_USER', 'NATS_TOKEN', 'NATS_NKEY_SEED', 'NATS_CREDS_FILE'] as const;
const PAIRS = [
  ['NATS_USER', 'NATS_PASSWORD'],
  ['NATS_CERT_FILE', 'NATS_KEY_FILE'],
] as const;

/** What of the settings of NATS does not go together. */
export function natsProblems(values: Values, sound: (...names: VariableName[]) => boolean): string[] {
  const set = (name: VariableName): boolean => values[name] !== undefined;
  const problems: string[] = [];
  const logins = LOGINS.filter((name) => sound(name) && set(name));
  if (logins.length > 1)
    problems.push(`${logins.join(' and ')} are all set, but one login is enough for NATS; unset the others`);
  for (const pair of PAIRS) {
    const [given, missing] = set(pair[0]) ? pair : [pair[1], pair[0]];
    if (sound(...pair) && set(given) && !set(missing))
      problems.push(`${given} is set but ${missing} is not; set both, or neither`);
  }
  return problems;
}
