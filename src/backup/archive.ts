import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { create, extract } from 'tar';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { removeUnpacked } from '../lifecycle/remove-unpacked.ts';
import { removedAtSignals } from '../lifecycle/removed-at-signals.ts';
import type { BackupContents } from '../pool/interfaces/backup-file.ts';
import { draftBeside } from './drafts.ts';

/** Grows with what an earlier version would misread. */
const FORMAT = 1;
const ABOUT = 'backup.json';
const STATE = 'state.json';
const EVENTS = 'events.json';
const CHECKPOINTS = 'checkpoints';
const CHECKPOINT_FILE = /^checkpoints\/[0-9a-f]{16}\.(?:tar|json)$/;

const Checksum = Type.String({ pattern: '^[0-9a-f]{64}$' });
const About = Type.Object({
  format: Type.Literal(FORMAT),
  program: Type.String(),
  deployment: Type.String(),
  savedAtMs: Type.Integer({ minimum: 0 }),
  sha256: Type.Object({ [STATE]: Checksum, [EVENTS]: Checksum }),
  checkpoints: Type.Array(
    Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{16}$' }), template: Type.String({ minLength: 1 }) }),
  ),
});
const State = Type.Array(
  Type.Object({
    key: Type.String({ minLength: 1 }),
    type: Type.Union([Type.Literal('hash'), Type.Literal('stream')]),
    endsAtMs: Type.Optional(Type.Number()),
    entries: Type.Array(Type.Array(Type.String(), { minItems: 2 })),
  }),
);
const Events = Type.Array(
  Type.Object({
    webhook: Type.String({ minLength: 1 }),
    event: Type.String(),
    dead: Type.Optional(Type.Object({ reason: Type.String(), attempts: Type.Number() })),
  }),
);
const [isAbout, isState, isEvents] = [Compile(About), Compile(State), Compile(Events)];

/**
 * Writes a backup as a file of its own (0600), which appears whole or not at all. It holds what visitors told and what
 * operators wrote. Throws invalid_config where it cannot be written.
 */
export async function writeBackup(file: string, contents: BackupContents, program: string): Promise<void> {
  const folder = await draftBeside(file);
  const draft = `${folder}.tar.gz`;
  await removedAtSignals([folder, draft], async () => {
    try {
      const names = await laidOut(folder, contents, program);
      await writeFile(draft, '', { flag: 'wx', mode: 0o600 });
      await create({ file: draft, cwd: folder, gzip: true, follow: true, portable: true, strict: true }, names);
      await sync(draft);
      await rename(draft, file);
    } catch (error) {
      throw new TryItNowError('invalid_config', `The backup ${file} cannot be written: ${describeError(error)}`, {
        cause: error,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rm(draft, { force: true });
    }
  });
}

/** The names of what is in the folder then. */
async function laidOut(folder: string, contents: BackupContents, program: string): Promise<string[]> {
  await mkdir(folder, { mode: 0o700 });
  await mkdir(join(folder, CHECKPOINTS));
  const [state, events] = [JSON.stringify(contents.keys), JSON.stringify(contents.events)];
  const about: Static<typeof About> = {
    format: FORMAT,
    program,
    deployment: contents.deployment,
    savedAtMs: contents.savedAtMs,
    sha256: { [STATE]: sha256(state), [EVENTS]: sha256(events) },
    checkpoints: contents.checkpoints.map(({ id, template }) => ({ id, template })),
  };
  await writeFile(join(folder, ABOUT), JSON.stringify(about, undefined, 2));
  await writeFile(join(folder, STATE), state);
  await writeFile(join(folder, EVENTS), events);
  for (const { id, archive } of contents.checkpoints) {
    await symlink(resolve(archive), join(folder, CHECKPOINTS, `${id}.tar`));
    await symlink(resolve(archive.replace(/\.tar$/, '.json')), join(folder, CHECKPOINTS, `${id}.json`));
  }
  const checkpoints = contents.checkpoints.map(({ id }) => [`${CHECKPOINTS}/${id}.tar`, `${CHECKPOINTS}/${id}.json`]);
  return [ABOUT, STATE, EVENTS, ...checkpoints.flat()];
}

/**
 * Unpacks a backup beside itself, for as long as `use` works with it, after everything in it was checked. Throws
 * backup_damaged, and what `use` throws.
 */
export async function withBackup<T>(file: string, use: (contents: BackupContents) => Promise<T>): Promise<T> {
  const folder = await draftBeside(file);
  return removedAtSignals([folder], async () => {
    try {
      return await use(await unpacked(file, folder));
    } finally {
      await removeUnpacked(folder);
    }
  });
}

async function unpacked(file: string, folder: string): Promise<BackupContents> {
  const damaged = (why: string, cause?: unknown): TryItNowError =>
    new TryItNowError('backup_damaged', `Nothing was restored: ${file} is no sound backup (${why})`, { cause });
  try {
    await (await open(file, 'r')).close();
    await mkdir(folder, { mode: 0o700 });
    await extract({
      file,
      cwd: folder,
      strict: true,
      preserveOwner: false,
      filter: (path, entry) =>
        'type' in entry &&
        entry.type === 'File' &&
        ([ABOUT, STATE, EVENTS].includes(path) || CHECKPOINT_FILE.test(path)),
      onReadEntry: (entry) => {
        entry.mode = 0o600;
      },
    });
  } catch (error) {
    throw damaged(describeError(error), error);
  }
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch (error) {
      throw damaged(`there is no ${name} in it`, error);
    }
  };
  const about: unknown = parsed(await read(ABOUT));
  if (!isAbout.Check(about)) throw damaged(`${ABOUT} is not of format ${FORMAT}; a newer version may have made it`);
  const [state, events] = [await read(STATE), await read(EVENTS)];
  if (sha256(state) !== about.sha256[STATE]) throw damaged(`${STATE} does not have its checksum`);
  if (sha256(events) !== about.sha256[EVENTS]) throw damaged(`${EVENTS} does not have its checksum`);
  const [keys, saved]: unknown[] = [parsed(state), parsed(events)];
  if (!isState.Check(keys)) throw damaged(`${STATE} has an entry of another shape`);
  if (!isEvents.Check(saved)) throw damaged(`${EVENTS} has an entry of another shape`);
  return {
    deployment: about.deployment,
    savedAtMs: about.savedAtMs,
    keys,
    events: saved,
    checkpoints: about.checkpoints.map(({ id, template }) => ({
      id,
      template,
      archive: join(folder, CHECKPOINTS, `${id}.tar`),
    })),
  };
}

/** In the same folder: checkpoints may be larger than what is free elsewhere. */
function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
