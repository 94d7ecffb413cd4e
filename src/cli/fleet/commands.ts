import { readFile } from 'node:fs/promises';
import { viewFleet } from '../../composition/fleet-context.ts';
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/environment.ts';
import { ParseError, duration } from '../../config/parsers.ts';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { HostFiles } from '../../fleet/host-files.ts';
import { decodeToken, encodeToken, isWholeToken, withoutBuild } from '../../fleet/join-token.ts';
import { joinFleet, type Joined } from '../../fleet/join.ts';
import { makeToken } from '../../fleet/make-token.ts';
import { openToHosts } from '../../fleet/open-to-hosts.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { packageVersion } from '../package-version.ts';
import { readHidden } from './hidden-text.ts';

interface FolderOptions {
  readonly settingsDir: string;
}

export interface InitOptions extends FolderOptions {
  readonly unitsDir: string;
  readonly address?: string;
}

export interface TokenOptions extends FolderOptions {
  readonly ttl: string;
}

export interface JoinOptions extends FolderOptions {
  readonly tokenFile: string;
  readonly name?: string;
  readonly address?: string;
}

const SERVICES = 'try-it-now-valkey try-it-now-nats try-it-now-discovery try-it-now';

export async function init({ settingsDir, unitsDir, address }: InitOptions): Promise<void> {
  const files = new HostFiles(settingsDir);
  const opened = await openToHosts({ files, unitsFolder: unitsDir, address, nowMs: Date.now() });
  console.log(
    `Valkey (port 6379), NATS (4222) and the proxy are set to let other hosts in at ${opened}, Valkey and NATS by ` +
      `TLS with logins of their own. That stands in ${files.path('fleet')}, ${files.path('try-it-now.env')} and ` +
      `drop-ins in ${unitsDir}; nothing was restarted.\nNext, which visitors in their instances do not notice:\n` +
      `  systemctl daemon-reload && systemctl restart ${SERVICES}\n  try-it-now fleet join-token`,
  );
}

export async function token(env: Environment, { settingsDir, ttl }: TokenOptions): Promise<void> {
  const lifeMs = duration('1m', '30d', '24h').parse(ttl);
  if (lifeMs instanceof ParseError)
    throw new TryItNowError('invalid_request', '--ttl is a time such as 24h, 30d at most');
  const program = packageVersion();
  const nowMs = Date.now();
  const files = new HostFiles(settingsDir);
  const made = await makeToken({ env, files, program, nowMs, lifeMs, verify: look });
  // Which engine is installed there is decided before the token is read.
  const engine = made.settings['CONTAINER_MODE'] === 'docker' ? 'CONTAINER_MODE=docker ' : '';
  // Beside the token, which may go on to a pipe.
  console.error(
    `On the further host, in a clone of Try It Now ${withoutBuild(program)}, as root:\n\n` +
      `  make setup install ROLE=worker ${engine}JOIN=-\n\n` +
      'It asks for the token: all lines below, those with dashes too. They are good until ' +
      `${new Date(made.expiresAtMs).toISOString()}, and let whoever has them into Valkey and NATS.\n`,
  );
  process.stdout.write(encodeToken(made));
}

export async function join({ settingsDir, tokenFile, name, address }: JoinOptions): Promise<void> {
  const joined = await joinFleet({
    token: decodeToken(await tokenText(tokenFile), { program: packageVersion(), nowMs: Date.now() }),
    files: new HostFiles(settingsDir),
    name,
    address,
    look,
  }).catch((error: unknown) => {
    if (!(error instanceof TryItNowError)) throw error;
    throw new TryItNowError(error.code, `This host has not joined, and nothing was changed: ${error.message}`, {
      cause: error,
    });
  });
  console.log(
    `This host is node ${joined.name}, and its instances are at ${joined.address}. ${asBefore(joined)}` +
      `${guests(joined)} Its settings stand in ${new HostFiles(settingsDir).path('try-it-now.env')}.`,
  );
}

function asBefore({ isAsBefore }: Joined): string {
  return isAsBefore
    ? 'That stood in its settings, and is not the address with which it reaches Valkey; --address (NODE_ADDRESS= for ' +
        'make) gives another. '
    : '';
}

function guests({ letsIn, noLongerLetsIn }: Joined): string {
  const named = letsIn.map(spelled).join(', ') || 'nobody';
  const before = noLongerLetsIn.map(spelled).join(', ');
  return (
    `Beside itself it lets ${named} in to them (PROXY_ADDRESSES)` +
    (before === '' ? '.' : `, and no longer ${before}, which the token does not name.`)
  );
}

/** A block of one address as that. */
function spelled(block: string): string {
  return block.replace(/\/32$/, '');
}

async function look(config: Config) {
  return viewFleet(config, createLogger('fatal', process.stderr));
}

async function tokenText(file: string): Promise<string> {
  if (file === '-' && process.stdin.isTTY) return readHidden('Paste the join token (it does not show): ', isWholeToken);
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch (error) {
    throw new TryItNowError('invalid_request', `The join token cannot be read from ${file}: ${describeError(error)}`);
  }
}
