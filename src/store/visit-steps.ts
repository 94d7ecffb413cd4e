import type { Redis as Valkey } from 'iovalkey';
import type { Instance } from '../domain/instance.ts';
import type { Lead } from '../domain/lead.ts';
import type { Log } from '../domain/log.ts';
import type { StepOutcome, VisitSteps } from '../pool/interfaces/visit-steps.ts';
import { storeError } from './client.ts';
import { today } from './funnel-counts.ts';
import { keys } from './keys.ts';
import { parseRecord } from './records.ts';
import { NOTE_STEP } from './script-codes.ts';
import type { Scripts } from './scripts.ts';

/** Of note-step.lua: what was told is in the store already. */
const KEPT = 'kept';

export class ValkeyVisitSteps implements VisitSteps {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #log: Log;

  constructor(client: Valkey, scripts: Scripts, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#log = log;
  }

  async findEnded(label: string): Promise<Instance | undefined> {
    const text = await this.#ask(() => this.#client.get(keys.endedVisit(label)));
    return text === null ? undefined : parseRecord(text, this.#log);
  }

  callToActionClicked(visit: Instance): Promise<StepOutcome> {
    return this.#note(visit, 'call_to_action_clicked', '', '');
  }

  leadGiven(visit: Instance, lead: Lead): Promise<StepOutcome> {
    return this.#note(visit, 'lead_given', JSON.stringify(lead), '');
  }

  keptLeadGiven(visit: Pick<Instance, 'id' | 'label'>, place: string): Promise<StepOutcome> {
    return this.#note(visit, 'lead_given', KEPT, place);
  }

  async keepLead(place: string, lead: Lead, forMs: number): Promise<void> {
    await this.#ask(() => this.#client.set(keys.lead(place), JSON.stringify(lead), 'PX', forMs));
  }

  async isLeadKept(place: string): Promise<boolean> {
    return (await this.#ask(() => this.#client.exists(keys.lead(place)))) === 1;
  }

  async forgetLead(place: string): Promise<void> {
    await this.#ask(() => this.#client.unlink(keys.lead(place)));
  }

  async #note(
    { id, label }: Pick<Instance, 'id' | 'label'>,
    step: string,
    told: string,
    place: string,
  ): Promise<StepOutcome> {
    const [code, template = '', site = ''] = (await this.#scripts.run(
      'note-step',
      [
        keys.instances,
        keys.endedVisit(label),
        keys.funnel(today()),
        keys.eventOutbox,
        keys.eventSettings,
        keys.lead(place),
      ],
      [id, step, told],
    )) as [number, string?, string?];
    switch (code) {
      case NOTE_STEP.NOTED:
        return { kind: 'noted', template, site };
      case NOTE_STEP.UNCHANGED:
        return { kind: 'unchanged' };
      case NOTE_STEP.UNKNOWN:
        return { kind: 'unknown' };
      case NOTE_STEP.NOWHERE:
        return { kind: 'nowhere' };
      default:
        throw new Error(`note-step.lua answered with an unknown code ${code}`);
    }
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw storeError(error);
    }
  }
}
