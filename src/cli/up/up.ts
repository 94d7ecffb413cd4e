import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { chooseEngine, isLastResort } from '../../composition/engines.ts';
import { startApp, type App, type AppOptions } from '../../composition/app.ts';
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig, type LoadedConfig } from '../../config/load.ts';
import { rereadTemplates } from '../../config/reread-templates.ts';
import { DATABASE_ENGINES, DATABASE_SERVERS, type DatabaseEngine } from '../../domain/database.ts';
import { onHangUp, untilStopped } from '../../lifecycle/signals.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { temporaryFolder } from '../../lifecycle/temporary-folder.ts';
import { LogWriter, type LogLosses } from '../../telemetry/log-writer.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { openTracing } from '../../telemetry/tracing/open-tracing.ts';
import type { Tracing } from '../../telemetry/tracing/tracing.ts';
import type { ContainerEngine } from '../../runtime/engine.ts';
import { CONTAINER_ENGINES, STAND_IN, type Engine } from '../../runtime/engines.ts';
import { NO_ENGINE, noEngine } from '../../runtime/no-engine.ts';
import { packageVersion } from '../package-version.ts';
import { besideOthers } from './beside-others.ts';
import { checkpointTemplates } from './checkpoint-templates.ts';
import { environmentFile, howToRead } from './environment-file.ts';
import { FailedStarts } from './failed-starts.ts';
import { mayRunContainers } from './may-run-containers.ts';
import { drawOperatorKey, withAdminPort } from './operator-access.ts';
import { buildImage, exampleOf, isSet, mayDumpOtherUsers, withExample } from './example.ts';
import { openScreen, type Screen } from './screen.ts';
import { AS_ROOT, requirePlace, requireRights, startDiscoveryProcess, startServers } from './servers.ts';
import { TakeDown } from './take-down.ts';

/**
 * Stand for the database servers that are started below: a template with a database is no mistake. Never opened.
 */
const DATABASES_TO_COME = {
  mariadb: '/run/try-it-now/mariadb-to-come/mysqld.sock',
  postgresql: '/run/try-it-now/postgresql-to-come/.s.PGSQL.5432',
} as const satisfies Record<DatabaseEngine, string>;
/** Longest wait for a first instance before the page is offered all the same; the log then says what is wrong. */
const WARM_UP_MS = 180_000;

export interface UpOptions {
  /** Make and promote a checkpoint of each template once the pool is warm. */
  readonly checkpoint?: true;
}

/** With an address but without a socket it is a mistake, which the configuration names. */
function isConfigured(engine: DatabaseEngine, env: Environment): boolean {
  const { socket, url } = DATABASE_SERVERS[engine];
  return isSet(env[socket]) || isSet(env[url]);
}

function databasesToCome(env: Environment): Environment {
  const toCome = DATABASE_ENGINES.filter((engine) => !isConfigured(engine, env));
  return Object.fromEntries(
    toCome.flatMap((engine) => {
      const { socket, password } = DATABASE_SERVERS[engine];
      return [
        [socket, DATABASES_TO_COME[engine]],
        [password, 'to come'],
      ];
    }),
  );
}

/** Those that a template needs, and for which no server was configured. */
function wantedDatabases(env: Environment, { templates }: Config): DatabaseEngine[] {
  return DATABASE_ENGINES.filter(
    (engine) => !isConfigured(engine, env) && templates.some(({ database }) => database?.engine === engine),
  );
}

/**
 * Everything on this machine, as children of this process, until Ctrl-C; then nothing of it is left, or it says what
 * is, and why. Throws invalid_config, port_taken and engine_unavailable before anything is started, and what a part
 * that does not come up throws.
 */
export async function up(env: Environment, options: UpOptions = {}): Promise<void> {
  const { env: placed, notes, conflicts } = await besideOthers(withExample(env));
  const chosen = await withAdminPort(placed);
  const loaded = loadConfig({ ...chosen, ...databasesToCome(chosen) }, undefined, { serves: true });
  for (const note of [...loaded.warnings, ...notes]) console.warn(`Note: ${note}`);
  await requirePlace(loaded.config, conflicts);
  await requireRights(loaded.config, loaded.explicit);

  // A name that others could foresee would let them put a link to any file there. The log of who was killed is kept.
  const logFolder = await temporaryFolder('try-it-now-log-', { kept: 1 });
  const logFile = join(logFolder, 'try-it-now.log');
  const logWriter = LogWriter.open(logFile);
  const screen = openScreen();
  const stopped = new AbortController();
  const failedStarts = new FailedStarts(logWriter, (sentence) => {
    // What is taken down fails, too.
    if (!stopped.signal.aborted) screen.tell(sentence);
  });
  const { config: given } = loaded;
  const tracing = await openTracing({
    settings: given.tracing,
    from: { version: packageVersion(), role: 'server', node: given.node.name, deployment: given.deployment },
    log: createLogger(given.log.level, failedStarts),
  });
  const log = createLogger(given.log.level, failedStarts, tracing.ids);
  const stopSignal = untilStopped(log).then((signal) => {
    stopped.abort();
    return signal;
  });
  const takeDown = new TakeDown({ deployment: given.deployment, explicit: loaded.explicit, logFile, screen, log });
  let started = false;
  try {
    const app = await startEverything({
      env: chosen,
      options,
      loaded,
      log,
      logFile,
      logLosses: logWriter,
      tracing,
      failedStarts,
      takeDown,
      screen,
      stopped: stopped.signal,
    });
    started = true;
    if (!stopped.signal.aborted) await Promise.race([stopSignal, app.nameTaken.then((taken) => Promise.reject(taken))]);
    screen.start('Taking everything down');
  } catch (error) {
    if (!stopped.signal.aborted) {
      screen.fail(`${started ? 'Cannot go on' : 'Could not start'}; the whole log is in ${logFile}`);
      throw error;
    }
  } finally {
    const isGone = await takeDown.run();
    await tracing.close();
    if (!isGone) process.exitCode = 1;
    else if (stopped.signal.aborted) {
      takeDown.sayGone();
      await rm(logFolder, { recursive: true, force: true });
    }
  }
}

interface UpParts {
  readonly env: Environment;
  readonly options: UpOptions;
  readonly loaded: LoadedConfig;
  readonly log: Logger;
  readonly logFile: string;
  readonly logLosses: LogLosses;
  readonly tracing: Tracing;
  readonly failedStarts: FailedStarts;
  readonly takeDown: TakeDown;
  readonly screen: Screen;
  readonly stopped: AbortSignal;
}

async function startEverything({
  env,
  options,
  loaded,
  log,
  logFile,
  logLosses,
  tracing,
  failedStarts,
  takeDown,
  screen,
  stopped,
}: UpParts): Promise<App> {
  const dir = await temporaryFolder('try-it-now-');
  // The database server runs as another account, which must be able to pass through, not to look around.
  await chmod(dir, 0o711);
  takeDown.releasers.push('files', () => rm(dir, { recursive: true, force: true }));
  const shared = {
    config: loaded.config,
    explicit: loaded.explicit,
    dir,
    releasers: takeDown.releasers,
    launchedDatabases: wantedDatabases(env, loaded.config),
    events: {
      onLost: (name: string, how: string) => {
        log.error({ part: name, how }, 'A part ended by itself; starting it again');
        console.warn(`${name} ended by itself (${how}); starting it again.`);
      },
      onRestored: (name: string) => log.info({ part: name }, 'The part is back'),
    },
    onStarted: (name: string, where: string) => screen.succeed(`${name} on ${where}`),
  };
  screen.start('Starting the servers');
  const servers = { ...env, ...(await startServers(shared)) };
  // Everything here is for this run, the promotions in its Valkey too: what nobody could use
  // afterwards is not left behind.
  const checkpoints = isSet(env['CHECKPOINT_DIR']) ? {} : { CHECKPOINT_DIR: join(dir, 'checkpoints') };
  const settings: Environment = {
    ...checkpoints,
    ...(await drawOperatorKey(env, dir)),
    ...servers,
    ...(await startDiscoveryProcess(servers, shared)),
    ...(isForLookAround(loaded.config) ? { CONTAINER_MODE: STAND_IN.name } : {}),
  };
  const { config } = loadConfig(settings);
  const commands = join(dir, 'environment');
  await writeFile(commands, environmentFile(settings), { mode: 0o600 });
  screen.tell(`Commands such as \`try-it-now doctor\`, from now on, ${howToRead(commands, env)}`);
  stopped.throwIfAborted();

  const engine = await chooseEngine(config, log);
  if (engine.name === NO_ENGINE.name) throw noEngine('run instances with');
  explainEngine(engine, { now: config, chosen: loaded.config }, screen);
  if (engine.runsContainers)
    await buildImages(config, engine, config.containers.sockets[engine.name], settings, options, screen);
  stopped.throwIfAborted();

  const app = await takeDown.start({ engine, config, launched: shared.launchedDatabases }, (onHandling) =>
    startServer({ config, log, logLosses, tracing, engine, onHandling }, settings),
  );
  await warmUp(app, screen, failedStarts, stopped);
  if (options.checkpoint === true && !stopped.aborted) await checkpointTemplates(config, log, screen, stopped);
  if (!stopped.aborted) tellWhereToClick(commands, config, settings, logFile);
  return app;
}

async function startServer(parts: Omit<AppOptions, 'role' | 'version'>, settings: Environment): Promise<App> {
  const app = await startApp({
    ...parts,
    role: 'server',
    version: packageVersion(),
    readTemplates: () => rereadTemplates(settings, parts.config, { serves: true }),
  });
  onHangUp(() => void app.reloadTemplates());
  return app;
}

function tellWhereToClick(commands: string, config: Config, settings: Environment, logFile: string): void {
  const { publicUrl } = config.server;
  const { host, port } = config.admin;
  const keyFile = settings['OPERATOR_KEYS_FILE'] ?? 'as OPERATOR_KEYS has it';
  const examples = '`try-it-now pool stats` and `try-it-now checkpoint list`';
  console.log(
    [
      '',
      `Click here:  ${publicUrl}/`,
      '',
      `The API: ${publicUrl}/api/v1/templates, its description: ${publicUrl}/api/openapi.json`,
      `Commands such as ${examples}, ${howToRead(commands, settings)}`,
      `The dashboard for operators: http://${host}:${port}/ (API below /admin/v1), its key: ${keyFile}`,
      `The log: ${logFile}`,
      'Ctrl-C takes everything down.',
      '',
    ]
      .map((line) => (line === '' ? line : `  ${line}`))
      .join('\n'),
  );
}

/** Nobody chose an engine, and none would do. */
function isForLookAround({ containers }: Config): boolean {
  return containers.mode === 'auto' && !mayRunContainers();
}

function explainEngine(
  engine: Engine,
  { now, chosen }: { readonly now: Config; readonly chosen: Config },
  screen: Screen,
): void {
  if (engine.runsContainers) screen.succeed(`Containers by ${engine.title}`);
  else if (isForLookAround(chosen))
    screen.warn(
      'Containers need root, so they are only simulated: everything works, but the apps are placeholders. For real ' +
        `ones end this, and run \`${AS_ROOT}\``,
    );
  else if (!isLastResort(engine, now)) screen.info(`Containers are ${engine.name}, as CONTAINER_MODE says`);
  else
    screen.warn(
      `Neither ${CONTAINER_ENGINES.map(({ title }) => title).join(' nor ')} answers here, so containers are ` +
        'only simulated: everything works, but the apps are placeholders',
    );
}

async function buildImages(
  config: Config,
  { restoresCheckpoints, imageTool }: ContainerEngine,
  socketPath: string,
  env: Environment,
  { checkpoint }: UpOptions,
  screen: Screen,
): Promise<void> {
  const asRoot = checkpoint === true && restoresCheckpoints && !mayDumpOtherUsers();
  if (asRoot)
    screen.info(
      'CRIU may only dump what runs as root here (no CAP_SYS_RESOURCE), so the example ' +
        'runs as root inside its container',
    );
  for (const { image } of config.templates) {
    const example = exampleOf(image);
    if (example === undefined) continue;
    screen.start(`Image ${image}`);
    await buildImage(example, { imageTool, socketPath, env, asRoot }, (line) => {
      screen.progress(`Image ${image}: ${line}`.slice(0, 100));
    });
    screen.succeed(`Image ${image}`);
  }
}

/**
 * Shows the pools filling, until they are full, or it takes too long to keep people waiting. A template whose starts
 * fail again and again is not waited for.
 */
async function warmUp(app: App, screen: Screen, failedStarts: FailedStarts, stopped: AbortSignal): Promise<void> {
  const deadline = performance.now() + WARM_UP_MS;
  screen.start('Warming the pools');
  while (!stopped.aborted) {
    const stats = [...(await app.demos.stats())];
    const text =
      'Warming the pools: ' +
      stats.map(([name, { ready, target }]) => `${name} ${ready} of ${target} ready`).join(', ');
    screen.progress(text);
    const missing = stats.filter(([, { ready, target }]) => ready < target).map(([name]) => name);
    if (missing.length === 0) {
      screen.succeed(text);
      return;
    }
    if (missing.every((name) => failedStarts.isHopeless(name))) {
      screen.warn(`${text}. ${missing.join(', ')}: the starts fail, as said above; it is tried again by itself.`);
      return;
    }
    if (performance.now() > deadline) {
      screen.warn(`${text}. Something is slow or failing; the log tells more. The page waits for the first instance.`);
      return;
    }
    await sleep(100, stopped);
  }
}
