import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { describeError } from '../domain/errors.ts';
import type { ValkeyAccess, ValkeyTls } from '../store/valkey-access.ts';
import { quote, type FileReader, type ParsedEnvironment } from './environment.ts';
import type { VariableName } from './variables.ts';

const TLS_FILES = ['VALKEY_CA_FILE', 'VALKEY_CERT_FILE', 'VALKEY_KEY_FILE'] as const;
const SENTINEL_LOGIN = ['VALKEY_SENTINEL_USER', 'VALKEY_SENTINEL_PASSWORD'] as const;

export const VALKEY_VARIABLES = [
  'VALKEY_ADDR',
  'VALKEY_URL',
  'VALKEY_USER',
  'VALKEY_PASSWORD',
  ...TLS_FILES,
  ...SENTINEL_LOGIN,
] as const;
type ParsedValkey = ParsedEnvironment<(typeof VALKEY_VARIABLES)[number]>;

export interface ValkeySettings {
  readonly access: ValkeyAccess;
  readonly problems: readonly string[];
}

/** Where Valkey is, out of the settings that say so together. */
export function readValkeySettings(parsed: ParsedValkey, readFile: FileReader): ValkeySettings {
  const { values } = parsed;
  const { VALKEY_URL: url } = values;
  const problems = contradictions(parsed);
  const files = problems.length > 0 || url?.tls !== true ? {} : readTls(parsed, readFile, problems);
  const [first] = url?.endpoints ?? [values.VALKEY_ADDR];
  return {
    problems,
    access: {
      host: first.host,
      port: first.port,
      user: values.VALKEY_USER,
      password: values.VALKEY_PASSWORD,
      tls: url?.tls === true ? files : undefined,
      sentinel:
        url?.master === undefined
          ? undefined
          : {
              endpoints: url.endpoints,
              master: url.master,
              user: values.VALKEY_SENTINEL_USER,
              password: values.VALKEY_SENTINEL_PASSWORD,
            },
    },
  };
}

function contradictions({ values, explicit, broken }: ParsedValkey): string[] {
  const sound = (...names: VariableName[]): boolean => !names.some((name) => broken.has(name));
  if (!sound('VALKEY_URL')) return [];
  const { VALKEY_URL: url } = values;
  const problems: string[] = [];
  if (url !== undefined && explicit.has('VALKEY_ADDR'))
    problems.push('VALKEY_ADDR and VALKEY_URL are both set and each says where Valkey is; remove one of them');
  for (const [user, password] of [['VALKEY_USER', 'VALKEY_PASSWORD'], SENTINEL_LOGIN] as const)
    if (explicit.has(user) && !explicit.has(password) && sound(password))
      problems.push(`${user} is set but ${password} is not; set it or ${password}_FILE`);
  for (const name of TLS_FILES)
    if (explicit.has(name) && url?.tls !== true)
      problems.push(`${name} is set but TLS is not asked for; begin VALKEY_URL with valkeys://, or unset ${name}`);
  for (const name of SENTINEL_LOGIN)
    if (explicit.has(name) && url?.master === undefined)
      problems.push(
        `${name} is set but no Sentinel is named; set VALKEY_URL to their addresses ` +
          `(valkey+sentinel://host:26379,host:26379/name), or unset ${name}`,
      );
  if (explicit.has('VALKEY_CERT_FILE') !== explicit.has('VALKEY_KEY_FILE'))
    problems.push(
      'VALKEY_CERT_FILE and VALKEY_KEY_FILE belong together and one of them is not set; set both or neither',
    );
  return problems;
}

/** Read once: new ones count from the next start on. */
function readTls({ values }: ParsedValkey, readFile: FileReader, problems: string[]): ValkeyTls {
  const read = (name: (typeof TLS_FILES)[number]): string | undefined => {
    const file = values[name];
    if (file === undefined) return undefined;
    try {
      const text = readFile(file);
      if (name === 'VALKEY_KEY_FILE') createSecureContext({ key: text });
      else new X509Certificate(text);
      return text;
    } catch (error) {
      problems.push(
        `${name} names ${quote(file)}, which is no PEM file that can be used (${describeError(error)}); ` +
          "fix the path, the file's permissions or what is in it",
      );
      return undefined;
    }
  };
  const [ca, cert, key] = TLS_FILES.map(read);
  if (cert !== undefined && key !== undefined && problems.length === 0) {
    try {
      createSecureContext({ cert, key });
    } catch (error) {
      problems.push(
        `VALKEY_KEY_FILE is not the key of VALKEY_CERT_FILE (${describeError(error)}); give both of one pair`,
      );
    }
  }
  return { ca, cert, key };
}
