import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CONNECT_LABEL } from '../domain/address.ts';
import { systemClock, type Clock } from '../domain/clock.ts';
import { ERROR_CATALOGUE, TryItNowError, type ErrorCode } from '../domain/errors.ts';
import { landingFor } from '../domain/landing.ts';
import type { Log } from '../domain/log.ts';
import type { Template } from '../domain/template.ts';
import { listed, type Demos } from '../http/demos.ts';
import { sendDownload } from '../http/download.ts';
import type { SiteOf } from '../http/embedding-site.ts';
import type { Origins } from '../http/origins.ts';
import type { PagesContext } from '../http/pages.ts';
import { secondsLeft } from '../http/time-left.ts';
import { assetRoutes, type Assets } from './assets.ts';
import { badgeRoute } from './badge-route.ts';
import { embedRoutes } from './embed-routes.ts';
import { embedScriptRoute, loadEmbedScript } from './embed-script.ts';
import { field } from '../http/field.ts';
import { LeadForms } from './lead-forms.ts';
import { sendPage } from './page-response.ts';
import { EMBED_MODES, embedPage } from './pages/embed.ts';
import { problemPage } from './pages/failure.ts';
import { EXTEND_MINUTES, NOTICES, homePage, type Notice, type Offer } from './pages/home.ts';
import type { Presentations } from './presentation.ts';
import { PoolFigures } from './pool-figures.ts';
import { templateNamed } from './template-named.ts';
import { VisitorCookies, type Visitor } from './visitor.ts';
import { visitRoutes } from './visit-routes.ts';
import { Visits } from './visits.ts';
import { WaitingRoom } from './waiting-room.ts';
import { isFramed, wayIn } from './way-in.ts';

export interface StartPageOptions extends PagesContext {
  readonly assets: Assets;
  readonly presentations: Presentations;
  readonly clock?: Clock;
  /** After this a waiting visitor is told that it takes too long. */
  readonly waitLimitMs?: number;
  /** What browsers connect to ahead of a click; undefined: nothing. */
  readonly connectUrl?: string | undefined;
}

/** Half a year. For this name alone: what else the domain has may still be without https. */
const HSTS = `max-age=${180 * 24 * 60 * 60}`;

interface Deps {
  /** Of the start page. */
  readonly publicOrigin: string;
  readonly demos: Demos;
  readonly presentations: Presentations;
  readonly cookies: VisitorCookies;
  readonly visits: Visits;
  readonly origins: Origins;
  readonly figures: PoolFigures;
  readonly clock: Clock;
  readonly siteOf: SiteOf;
  readonly clientKeyOf: StartPageOptions['clientKeyOf'];
  readonly log: Log;
  readonly connectUrl: string | undefined;
}

type ForTemplate = { Params: { template: string } };

/**
 * The page where visitors click, and the actions behind its buttons. It works without JavaScript and without cookies.
 */
export async function startPage(app: FastifyInstance, options: StartPageOptions): Promise<void> {
  const { demos, log, clientKeyOf, siteOf, origins, clock = systemClock } = options;
  const { origin, protocol } = new URL(options.publicUrl);
  const secure = protocol === 'https:';
  const cookies = new VisitorCookies(secure, () => Math.max(...demos.templates().map(({ ttl }) => ttl.maxMs)));
  const visits = new Visits({ demos, cookies, clientKeyOf, siteOf });
  const deps: Deps = {
    publicOrigin: origin,
    demos,
    presentations: options.presentations,
    cookies,
    visits,
    origins,
    figures: new PoolFigures(demos, clock, log),
    clock,
    siteOf,
    clientKeyOf,
    log,
    connectUrl: options.connectUrl,
  };

  await app.register(cookie);
  await app.register(formbody);
  app.addHook('onRequest', (request, reply, done) => {
    if (secure) reply.header('strict-transport-security', HSTS);
    const { template } = request.params as Partial<ForTemplate['Params']>;
    if (request.routeOptions.config.embeddable === true) origins.admit(request, reply, template);
    else if (request.method === 'POST') origins.requireOwn(request);
    done();
  });
  assetRoutes(app, options.assets);
  homeRoutes(app, deps);
  badgeRoute(app, deps);
  visitRoutes(app, deps);
  embedPageRoute(app, deps);
  embedScriptRoute(app, await loadEmbedScript({ publicOrigin: origin, ...options.presentations.all }));
  embedRoutes(app, { ...deps, streams: options.waiting });
  actionRoutes(app, deps);
  exportRoute(app, deps);
  problemRoute(app, deps.presentations);
  const leadForms = new LeadForms(deps);
  leadForms.routes(app);
  const room = new WaitingRoom({
    ...deps,
    leadForms,
    streams: options.waiting,
    ...(options.waitLimitMs === undefined ? {} : { limitMs: options.waitLimitMs }),
  });
  waitingRoutes(app, deps, room);
}

function homeRoutes(app: FastifyInstance, deps: Deps): void {
  const { demos } = deps;
  app.get<{ Querystring: { notice?: unknown } }>('/', (request, reply) =>
    home(deps, request, reply, { offered: listed(demos), notice: request.query.notice }),
  );
  // A link leads here; only the button takes an instance, so that no crawler and no preview does.
  app.get<ForTemplate>('/try/:template', (request, reply) => {
    const template = templateNamed(demos, request.params.template);
    const open = field(request.query, 'open');
    landingFor(template, open);
    return home(deps, request, reply, { offered: [template], open });
  });
}

function waitingRoutes(app: FastifyInstance, { demos }: Deps, room: WaitingRoom): void {
  // From a form on a page of another site, too, where the template allows it.
  app.post<ForTemplate>('/try/:template', { config: { embeddable: true } }, (request, reply) =>
    room.enter(request, reply, templateNamed(demos, request.params.template)),
  );
  app.get<{ Params: { label: string } }>('/again/:label', async (request, reply) => {
    const view = await demos.findByLabel(request.params.label);
    const template = demos.templates().find(({ name }) => name === view?.instance.template);
    return view === undefined || template === undefined
      ? backHome(reply, 'gone')
      : room.again(request, reply, view, template);
  });
  app.get<ForTemplate>('/wait/:template', (request, reply) =>
    room.look(request, reply, templateNamed(demos, request.params.template)),
  );
  app.get<ForTemplate>('/wait/:template/events', { config: { untimed: true } }, (request, reply) =>
    room.watch(request, reply, templateNamed(demos, request.params.template)),
  );
  app.post<ForTemplate>('/leave/:template', (request, reply) =>
    room.leave(request, reply, templateNamed(demos, request.params.template)),
  );
}

function actionRoutes(app: FastifyInstance, { demos, cookies, visits }: Deps): void {
  app.post<ForTemplate>('/end/:template', async (request, reply) => {
    const outcome = await visits.end(
      request,
      reply,
      templateNamed(demos, request.params.template),
      cookies.identify(request, reply),
    );
    return backHome(reply, outcome);
  });
  app.post<ForTemplate>('/extend/:template', async (request, reply) => {
    const outcome = await visits.extend(
      request,
      templateNamed(demos, request.params.template),
      cookies.identify(request, reply),
      EXTEND_MINUTES,
    );
    return backHome(reply, outcome);
  });
}

function exportRoute(app: FastifyInstance, { demos, cookies, visits, clientKeyOf }: Deps): void {
  app.post<ForTemplate>('/export/:template', { config: { untimed: true } }, async (request, reply) => {
    const template = templateNamed(demos, request.params.template);
    const view = await visits.held(request, template, cookies.identify(request, reply));
    if (view === undefined) return backHome(reply, 'gone');
    return sendDownload(reply, await demos.exportWork(view, clientKeyOf(request)));
  });
}

function backHome(reply: FastifyReply, notice: Notice): FastifyReply {
  return reply.redirect(`/?notice=${notice}`, 303);
}

/** GET /embed: what to paste into other pages. */
function embedPageRoute(app: FastifyInstance, { demos, presentations, publicOrigin }: Deps): void {
  app.get('/embed', (request, reply) => {
    const templates = listed(demos);
    const template = templateNamed(demos, field(request.query, 'template') ?? templates[0]?.name ?? '');
    const mode = EMBED_MODES.find((each) => each === field(request.query, 'mode')) ?? 'modal';
    const presentation = presentations.for(request);
    const own = `'self' ${publicOrigin}`;
    return sendPage(reply, embedPage({ presentation, templates, template, mode, publicOrigin }), {
      frames: own,
      connections: publicOrigin,
    });
  });
}

function problemRoute(app: FastifyInstance, presentations: Presentations): void {
  app.get<{ Params: { code: string } }>('/problems/:code', (request, reply) => {
    const { code } = request.params;
    if (!Object.hasOwn(ERROR_CATALOGUE, code))
      throw new TryItNowError(
        'unknown_route',
        `There is no problem with the code ${JSON.stringify(code.slice(0, 64))}`,
      );
    return sendPage(reply, problemPage({ presentation: presentations.for(request), code: code as ErrorCode }));
  });
}

async function home(
  deps: Deps,
  request: FastifyRequest,
  reply: FastifyReply,
  {
    offered,
    open,
    notice,
  }: { readonly offered: readonly Template[]; readonly open?: string | undefined; readonly notice?: unknown },
): Promise<FastifyReply> {
  const { demos, presentations, publicOrigin, cookies, siteOf, connectUrl } = deps;
  const visitor = cookies.identify(request, reply);
  const offers = await Promise.all(offered.map((template) => offer(deps, request, { template, visitor, open })));
  const known = typeof notice === 'string' && Object.hasOwn(NOTICES, notice) ? (notice as Notice) : undefined;
  const presentation = presentations.for(request);
  const { assets } = presentation;
  const framed = offered.some((template) => isFramed(template, publicOrigin, demos.url(CONNECT_LABEL)));
  const text = homePage({
    presentation,
    offers,
    visitorToken: visitor.token,
    site: siteOf(request),
    notice: known,
    ahead: framed ? [assets['visit.css'], assets['visit.js']] : [],
    connectUrl,
  });
  return sendPage(reply, text, connectUrl === undefined ? {} : { frames: new URL(connectUrl).origin });
}

async function offer(
  { demos, figures, presentations, visits, clock, publicOrigin }: Deps,
  request: FastifyRequest,
  {
    template,
    visitor,
    open,
  }: { readonly template: Template; readonly visitor: Visitor; readonly open: string | undefined },
): Promise<Offer> {
  const [{ stats, control }, view] = await Promise.all([
    figures.of(template.name),
    visits.held(request, template, visitor).catch(unlessStoreIsDown),
  ]);
  const endsInSeconds =
    control?.deadlineMs === undefined ? undefined : Math.max(0, Math.ceil((control.deadlineMs - clock.now()) / 1000));
  return {
    template,
    logo: presentations.ownLogo(template.name),
    open,
    readyCount: stats?.ready,
    pause: control === undefined || control.mode === 'open' ? undefined : { reason: control.reason, endsInSeconds },
    held:
      view === undefined
        ? undefined
        : {
            url: wayIn(
              template,
              { ...view.instance, owner: visitor.owner, bare: view.instance.bare !== undefined },
              demos.url(view.instance.label, template.name, open),
              { open, publicOrigin },
            ),
            secondsLeft: Math.min(secondsLeft(view), endsInSeconds ?? Infinity),
            offersExport: demos.offersExport(view),
          },
  };
}

/** With the store down the page still comes; a click then says what is wrong. */
function unlessStoreIsDown(error: unknown): undefined {
  if (error instanceof TryItNowError && error.code === 'store_unavailable') return undefined;
  throw error;
}
