import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { EXPLAINED_REASONS } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import { visitToken } from '../domain/visit-token.ts';
import type { Demos } from '../http/demos.ts';
import { sendDownload } from '../http/download.ts';
import type { Origins } from '../http/origins.ts';
import { secondsLeft, unusedEnd } from '../http/time-left.ts';
import type { InstanceView } from '../pool/interfaces/claim-store.ts';
import { field } from '../http/field.ts';
import { letFrame, sendPage } from './page-response.ts';
import { EXTEND_MINUTES } from './pages/home.ts';
import { handOverPage } from './pages/hand-over.ts';
import { EMBEDDINGS, callToActionOf, frameSources, visitPage } from './pages/visit.ts';
import type { Presentations } from './presentation.ts';
import { isNavigation, isPrefetch } from './same-origin.ts';
import { isOfBrowser, type VisitorCookies } from './visitor.ts';
import { isFramed, withOpen } from './way-in.ts';

type ForVisit = { Params: { token: string } };
type ForNext = { Params: { token: string; template: string } };

export interface VisitDeps {
  readonly demos: Demos;
  readonly presentations: Presentations;
  readonly cookies: VisitorCookies;
  readonly origins: Origins;
  readonly clientKeyOf: (request: FastifyRequest) => string;
  readonly log: Log;
  /** Of the start page. */
  readonly publicOrigin: string;
}

/** What a visitor's browser asks for with the token of its visit, from our own page or from one that may embed it. */
export function visitRoutes(app: FastifyInstance, deps: VisitDeps): void {
  app.register((scope, _options, done) => {
    // What goes wrong is told in the frame too.
    scope.addHook('onRequest', (_request, reply, next) => {
      letFrame(reply, deps.origins.others);
      next();
    });
    scope.get<ForVisit>('/visit/:token', { exposeHeadRoute: false }, (request, reply) => frame(deps, request, reply));
    scope.get<ForVisit>('/visit/:token/open', { exposeHeadRoute: false }, (request, reply) =>
      open(deps.demos, request, reply),
    );
    actionRoutes(scope, deps);
    done();
  });
}

function actionRoutes(app: FastifyInstance, deps: VisitDeps): void {
  const { demos, cookies } = deps;
  const config = { embeddable: true } as const;
  app.get<ForNext>('/visit/:token/next/:template', { exposeHeadRoute: false }, (request, reply) =>
    next(deps, request, reply),
  );
  app.get<ForVisit>('/visit/:token/state', { config }, async (request) => {
    const view = await governed(deps, request).catch((error: unknown) =>
      sayWhyEnded(demos, request.params.token, error),
    );
    return state(demos, view);
  });
  app.post<ForVisit>('/visit/:token/extend', { config }, async (request) => {
    const view = await governed(deps, request);
    await demos.extend(view.instance.id, EXTEND_MINUTES);
    return state(demos, await demos.visit(request.params.token));
  });
  app.post<ForVisit>('/visit/:token/use', { config }, async (request) => {
    const view = await governed(deps, request);
    await demos.recordUse(view.instance.id);
    return state(demos, await demos.visit(request.params.token));
  });
  app.post<ForVisit>('/visit/:token/export', { config: { untimed: true } }, async (request, reply) => {
    const download = await demos.exportWork(await governed(deps, request), deps.clientKeyOf(request));
    return sendDownload(reply, download);
  });
  app.post<ForVisit>('/visit/:token/end', { config }, async (request, reply) => {
    const { instance } = await governed(deps, request);
    await demos.release(instance.id);
    cookies.letGo(reply, instance.template);
    return { seconds_left: 0 };
  });
}

/**
 * The token alone governs where a browser keeps our cookies from us, as in another site's page, and what did not begin
 * on our own pages. Of what did, one that shows somebody else's cookie got hold of an address that was not meant for
 * it. Throws unknown_instance, foreign_origin, foreign_visit.
 */
async function governed(
  { demos, cookies, origins }: VisitDeps,
  request: FastifyRequest<ForVisit>,
): Promise<InstanceView> {
  const view = await demos.visit(request.params.token);
  const { owner, template } = view.instance;
  origins.requireAllowed(request, template);
  const known = cookies.known(request);
  if (isOfBrowser(owner) && known !== undefined && known.owner !== owner)
    throw new TryItNowError('foreign_visit', "This visit is another visitor's");
  return view;
}

/** The same failure, with the limit that ended the visit. */
async function sayWhyEnded(demos: Demos, token: string, error: unknown): Promise<never> {
  if (!(error instanceof TryItNowError) || error.code !== 'unknown_instance') throw error;
  const visit = await demos.leads.visitOf(token).catch(() => undefined);
  const limit = EXPLAINED_REASONS.find((reason) => reason === visit?.reason);
  throw limit === undefined ? error : new TryItNowError(error.code, error.message, { details: { limit } });
}

function state(demos: Demos, view: InstanceView) {
  return { seconds_left: secondsLeft(view), ...unusedEnd(demos, view) };
}

async function frame(
  { demos, presentations, cookies, publicOrigin }: VisitDeps,
  request: FastifyRequest<ForVisit>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { token } = request.params;
  const view = await demos.visit(token);
  const { instance } = view;
  const wish = field(request.query, 'open');
  const template = demos.template(instance.template);
  const { origin } = new URL(demos.url(instance.label));
  const known = cookies.known(request);
  // Whoever was given the address in place of the app's gets the app, without the bar that governs it.
  const isTheirs =
    !isOfBrowser(instance.owner) || known?.owner === instance.owner || (known === undefined && isEmbedded(request));
  const url = withOpen(`/visit/${token}/open`, wish);
  if (template === undefined) return reply.redirect(url, 303);
  letFrame(reply, template.allowedOrigins);
  const presentation = presentations.for(request, instance.template);
  if (!isTheirs || instance.bare !== undefined || !isFramed(template, publicOrigin, origin))
    return sendPage(reply, handOverPage({ presentation, template, url }));
  const parts = {
    presentation,
    template,
    token: visitToken({ ...instance, owner: instance.owner ?? '' }),
    visitorToken: known?.token,
    site: instance.site,
    origin,
    publicOrigin,
    secondsLeft: secondsLeft(view),
    offersExport: demos.offersExport(view),
    open: wish,
    embedded: EMBEDDINGS.find((embedding) => embedding === field(request.query, 'embed')),
  };
  return sendPage(reply, visitPage(parts), { frames: frameSources(parts, publicOrigin) });
}

function isEmbedded({ headers }: FastifyRequest): boolean {
  return headers['sec-fetch-dest'] === 'iframe';
}

/**
 * Sends the browser into the app. What signs a visitor in works once, so nobody gets it who only looks ahead; the
 * app's own redirect takes it out of the address bar, and no site learns it as a referrer.
 */
async function open(demos: Demos, request: FastifyRequest<ForVisit>, reply: FastifyReply): Promise<FastifyReply> {
  if (isPrefetch(request)) return reply.code(503).send();
  const view = await demos.visit(request.params.token);
  const url = await demos.enter(view, field(request.query, 'open'));
  return reply.header('referrer-policy', 'no-referrer').redirect(url, 303);
}

/**
 * Leads on to the vendor, by way of a count. Where to is what the template says and nothing in the address, so no link
 * of ours leads anywhere else; and it leads there whatever becomes of the count.
 */
async function next(
  { demos, presentations, log }: VisitDeps,
  request: FastifyRequest<ForNext>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const template = demos.template(request.params.template);
  const wanted = template && callToActionOf(template, presentations.for(request));
  if (wanted === undefined) return reply.redirect('/', 303);
  reply.header('cache-control', 'no-store');
  if (isPrefetch(request)) return reply.code(503).send();
  if (isNavigation(request))
    await demos.callToActionClicked(request.params.token).catch((error: unknown) => {
      if (error instanceof TryItNowError && error.code === 'unknown_instance') return;
      log.warn(
        { template: template?.name, reason: describeError(error) },
        'A call to action that was clicked could not be counted; its visitor was led on all the same',
      );
    });
  return reply.header('referrer-policy', 'no-referrer').redirect(wanted.url, 303);
}
