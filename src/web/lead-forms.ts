import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TryItNowError } from '../domain/errors.ts';
import { parseLead, type Lead, type LeadForm } from '../domain/lead.ts';
import type { Template } from '../domain/template.ts';
import type { Html } from '../presentation/html.ts';
import type { Demos } from '../http/demos.ts';
import type { SiteOf } from '../http/embedding-site.ts';
import { field } from '../http/field.ts';
import { sendPage, wantsPage } from './page-response.ts';
import { formFields } from './pages/home.ts';
import { LEAD_CHOICES, leadPage, thanksPage } from './pages/lead.ts';
import type { Presentations } from './presentation.ts';
import { isOfBrowser, type Visitor, type VisitorCookies } from './visitor.ts';
import { placeId, type Visits } from './visits.ts';
import { withOpen } from './way-in.ts';

export interface LeadFormsOptions {
  readonly demos: Demos;
  readonly presentations: Presentations;
  readonly cookies: VisitorCookies;
  readonly visits: Visits;
  readonly siteOf: SiteOf;
}

type ForVisit = { Params: { token: string } };
const UNPROCESSABLE = 422;

/** Asks visitors for what a template wants to know of them, where it does. */
export class LeadForms {
  readonly #options: LeadFormsOptions;

  constructor(options: LeadFormsOptions) {
    this.#options = options;
  }

  /**
   * Of a click: sends the form and returns undefined, or returns what was told where there is nothing (more) to ask.
   * Nothing of it is kept here: whether this visitor may have anything is not known yet.
   */
  async before(
    request: FastifyRequest,
    reply: FastifyReply,
    template: Template,
    visitor: Visitor,
  ): Promise<{ readonly lead?: Lead } | undefined> {
    const form = template.lead;
    // A script of ours repeats a click that has been asked.
    if (form?.ask !== 'before' || !wantsPage(request)) return {};
    const choice = field(request.body, 'lead');
    if (choice === LEAD_CHOICES.skipped && !form.required) return {};
    if (choice !== LEAD_CHOICES.given) {
      if (await this.#hasAnswered(request, template, visitor)) return {};
      this.#askBefore(request, reply, template, form, { visitor });
      return undefined;
    }
    const parsed = parseLead(form, (name) => field(request.body, name));
    if ('problems' in parsed) {
      this.#askBefore(request, reply.code(UNPROCESSABLE), template, form, { visitor, ...parsed });
      return undefined;
    }
    return parsed;
  }

  async #hasAnswered(request: FastifyRequest, template: Template, visitor: Visitor): Promise<boolean> {
    const { demos, cookies, visits } = this.#options;
    if (cookies.hasAnswered(request, template.name)) return true;
    return (
      (await visits.held(request, template, visitor)) !== undefined ||
      (await visits.place(template, visitor)) !== undefined ||
      (await demos.leads.isKept(placeId(template, visitor)))
    );
  }

  #askBefore(
    request: FastifyRequest,
    reply: FastifyReply,
    template: Template,
    form: LeadForm,
    parts: Partial<Parameters<typeof leadPage>[0]> & { readonly visitor: Visitor },
  ): void {
    const { siteOf } = this.#options;
    const action = withOpen(`/try/${encodeURIComponent(template.name)}`, field(request.query, 'open'));
    const site = siteOf(request, field(request.body, 'site'));
    this.#ask(request, reply, template, form, {
      ...parts,
      action,
      fields: formFields({ visitorToken: parts.visitor.token, site }),
    });
  }

  #ask(
    request: FastifyRequest,
    reply: FastifyReply,
    template: Template,
    form: LeadForm,
    parts: Partial<Parameters<typeof leadPage>[0]> & { readonly action: string; readonly fields: Html | undefined },
  ): FastifyReply {
    const presentation = this.#options.presentations.for(request, template.name);
    return sendPage(reply, leadPage({ presentation, template, form, ...parts }));
  }

  /** The form of a visit, for as long as something is known of it. */
  routes(app: FastifyInstance): void {
    app.get<ForVisit>('/visit/:token/lead', { exposeHeadRoute: false }, async (request, reply) => {
      const { template, form } = await this.#visited(request);
      return this.#ask(request, reply, template, form, { action: request.url, fields: undefined });
    });
    app.post<ForVisit>('/visit/:token/lead', async (request, reply) => {
      const { template, form } = await this.#visited(request);
      const parsed = parseLead(form, (name) => field(request.body, name));
      if ('problems' in parsed)
        return this.#ask(request, reply.code(UNPROCESSABLE), template, form, {
          action: request.url,
          fields: undefined,
          ...parsed,
        });
      await this.#options.demos.leads.give(request.params.token, parsed.lead);
      return sendPage(
        reply,
        thanksPage({ presentation: this.#options.presentations.for(request, template.name), template }),
      );
    });
  }

  /** As for what governs a visit: another visitor's cookie opens nothing. Throws unknown_instance, unknown_route. */
  async #visited(request: FastifyRequest<ForVisit>): Promise<{ readonly template: Template; readonly form: LeadForm }> {
    const { demos, cookies } = this.#options;
    const visit = await demos.leads.visitOf(request.params.token);
    const known = cookies.known(request);
    if (isOfBrowser(visit.owner) && known !== undefined && known.owner !== visit.owner)
      throw new TryItNowError('unknown_instance', "this visit is another visitor's");
    const template = demos.template(visit.template);
    if (template?.lead?.ask !== 'during')
      throw new TryItNowError('unknown_route', `"${visit.template}" asks its visitors for nothing`);
    return { template, form: template.lead };
  }
}
