/** Kinds of settings that name something on this host's disk. */
import { createHash } from 'node:crypto';
import { accessSync, closeSync, constants, openSync, readSync, statSync, type Stats } from 'node:fs';
import { isAbsolute, normalize, resolve } from 'node:path';
import { describeError } from '../domain/errors.ts';
import type { DatabaseSeed } from '../domain/database.ts';
import { DATABASE_MOUNT } from '../domain/template.ts';
import { closedByUnit } from '../lifecycle/closed-by-unit.ts';
import { ParseError, type Parser } from './parsers.ts';

/** Without a slash at the end and without `..`, so that paths can be compared. */
export function absolutePath(example: string): Parser<string> {
  return {
    type: 'path',
    expects: `an absolute path, such as ${example}`,
    parse: (text) => (isAbsolute(text) && !text.includes('\0') ? plain(text) : new ParseError()),
  };
}

/** Where nodes leave checkpoints for each other. */
export const checkpointShare: Parser<string> = {
  type: 'choice or path',
  expects: '`nats`, `off`, or the absolute path of a folder that all hosts have mounted, such as /mnt/checkpoints',
  parse: (text) => (text === 'nats' || text === 'off' ? text : absolutePath('').parse(text)),
};

/** A folder inside a container. A colon or comma would end the path early where an engine is told of it. */
export const containerFolder: Parser<string> = {
  type: 'path',
  expects: 'an absolute path in the container without colon, comma or .., such as /srv/app',
  parse: (text) => (isContainerPath(text) ? plain(text) : new ParseError()),
};

/** A file inside a container. */
export const containerFile: Parser<string> = {
  type: 'path',
  expects: 'the absolute path of a file in the container without .., such as /etc/app.conf',
  parse: (text) => (isContainerPath(text) && !text.endsWith('/') ? plain(text) : new ParseError()),
};

function isContainerPath(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not pass
  return isAbsolute(text) && text.length <= 1024 && !/[:,\u0000-\u001f\u007f]|(^|\/)\.\.(\/|$)/.test(text);
}

/** Both as `absolutePath` and its like give them. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function plain(text: string): string {
  return normalize(text).replace(/(?<=.)\/$/, '');
}

/** `sun_path` of unix(7) without its closing NUL. */
const SOCKET_PATH_BYTES = 107;

/** A colon or comma would end the path early where an engine is told what to mount. */
export const socketPath: Parser<string> = {
  type: 'path',
  expects: 'the absolute path of a unix socket, such as /run/mysqld/mysqld.sock',
  parse: (text) => {
    if (!isAbsolute(text) || text.endsWith('/') || text.includes('\0')) return new ParseError();
    const path = plain(text);
    if (/[:,]/.test(path)) return new ParseError('it must not have a colon or comma');
    const longest = Math.max(
      Buffer.byteLength(path),
      Buffer.byteLength(`${DATABASE_MOUNT}/${path.split('/').at(-1) ?? ''}`),
    );
    return longest > SOCKET_PATH_BYTES
      ? new ParseError(
          `the path of a socket may have ${SOCKET_PATH_BYTES} bytes, also as instances see it, in ${DATABASE_MOUNT}`,
        )
      : path;
  },
};

/** Clients of PostgreSQL look for the socket by this name, given its folder and a port. */
export const postgresSocketPath: Parser<string> = {
  ...socketPath,
  expects: 'the absolute path of PostgreSQL’s unix socket, such as /run/postgresql/.s.PGSQL.5432',
  parse: (text) => {
    const path = socketPath.parse(text);
    if (path instanceof ParseError || /\/\.s\.PGSQL\.\d{1,5}$/.test(path)) return path;
    return new ParseError('the name of such a socket is .s.PGSQL. and the port');
  },
};

/** The absolute path of a checkpoint's archive; `folder` is what a relative one starts from. */
export function archiveFile(folder: string, presence: 'must exist' | 'may be absent'): Parser<string> {
  return {
    type: 'path',
    expects: 'the archive (.tar) of a checkpoint',
    parse: (text) => {
      if (text === '' || text.includes('\0')) return new ParseError();
      const path = resolve(folder, text);
      const found = presence === 'must exist' ? readableFile(path) : path;
      return found instanceof ParseError ? found : path;
    },
  };
}

const SEED_BYTES = 512 * 2 ** 20;

/** What a database is filled from. The digest is the first 16 hexadecimal digits of the content's SHA-256. */
export function seedFile(folder: string): Parser<Pick<DatabaseSeed, 'seedFile' | 'seedDigest'>> {
  return {
    type: 'path',
    expects: 'the path of an SQL file of at most 512 MiB, relative to the catalogue file',
    parse: (text) => {
      if (text === '' || text.includes('\0')) return new ParseError();
      const path = resolve(folder, text);
      const found = readableFile(path);
      if (found instanceof ParseError) return found;
      if (found.size > SEED_BYTES) return new ParseError(`${path} has ${Math.ceil(found.size / 2 ** 20)} MiB`);
      const digest = sha256(path);
      return digest instanceof ParseError ? digest : { seedFile: path, seedDigest: digest.slice(0, 16) };
    },
  };
}

export function readableFile(path: string): Stats | ParseError {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return new ParseError(`there is no file ${path}${closedByUnit(undefined, path)}`);
    if (found.isDirectory()) return new ParseError(`${path} is a folder`);
    if (!found.isFile()) return new ParseError(`${path} is not an ordinary file`);
    accessSync(path, constants.R_OK);
    return found;
  } catch (error) {
    return unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): ParseError {
  return new ParseError(`${path} cannot be read: ${describeError(error)}${closedByUnit(error, path)}`);
}

/** Piece by piece, for a seed may be larger than what should be held in memory. */
function sha256(path: string): string | ParseError {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(2 ** 20);
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    for (let length = readSync(file, piece); length > 0; length = readSync(file, piece))
      hash.update(piece.subarray(0, length));
    return hash.digest('hex');
  } catch (error) {
    return unreadable(path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
