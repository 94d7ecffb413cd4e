import type { Messages } from './messages.ts';

/** Every text that visitors see, in German. */
export const de = {
  'site.title': 'Try It Now',
  'site.skip': 'Zum Inhalt springen',
  'site.promise': 'Jede Kopie gehört nur der Person, die sie gestartet hat, und verschwindet nach Ablauf ihrer Zeit.',
  'site.api': 'API',
  'site.embed': 'Einbetten',
  'site.abuse': 'Missbrauch melden',
  'site.back': 'Zur Startseite',

  'home.heading': 'Eine laufende App nur für Sie, {emphasis}',
  'home.heading_emphasis': 'einen Klick entfernt',
  'home.intro':
    'Ohne Anmeldung, ohne Installation. Wählen Sie eine App aus, und schon sind Sie in einer frischen Kopie, die ' +
    'Ihnen allein gehört, bis ihre Zeit abgelaufen ist.',
  'home.paused': 'Pausiert',
  'home.ready': 'Sofort bereit',
  'home.warming': 'Gleich bereit',
  'home.terms': 'Gehört Ihnen für {time}',
  'home.terms_extendable': 'Gehört Ihnen für {time}, auf Wunsch bis zu {longest}',
  'home.try': 'Jetzt ausprobieren',
  'home.try_label': 'Jetzt ausprobieren: {app}',
  'home.starting': 'Wird gestartet …',
  'home.time_left': 'Ihre Kopie · noch {time}',
  'home.open': 'Ihre Kopie öffnen',
  'home.open_label': 'Ihre Kopie öffnen: {app}',
  'home.extend': '+{time}',
  'home.extend_label': '+{time} für Ihre Kopie von {app}',
  'home.export': 'Herunterladen',
  'home.export_label': 'Herunterladen, was in Ihrer Kopie von {app} ist',
  'home.end': 'Beenden',
  'home.end_label': 'Beenden: Ihre Kopie von {app}',
  'home.pause': 'Zurzeit werden keine Kopien ausgegeben. Bitte kommen Sie etwas später wieder.',
  'home.pause_held': 'Zurzeit werden keine neuen Kopien ausgegeben. Ihre bleibt, bis ihre Zeit abgelaufen ist.',
  'home.pause_held_ending': 'Zurzeit werden keine neuen Kopien ausgegeben. Ihre endet in spätestens {time}.',
  'home.operators_say': 'Die Betreiber teilen mit: {reason}',
  'home.notice_ended': 'Beendet. Alles in dieser Kopie ist gelöscht.',
  'home.notice_extended': 'Erledigt: Sie haben mehr Zeit.',
  'home.notice_others_wait': 'Andere warten auf eine Kopie, deshalb endet diese, wenn ihre Zeit um ist.',
  'home.notice_extension_limit':
    'Diese Kopie hat ihre längste Laufzeit erreicht und kann nicht weiter verlängert werden.',
  'home.notice_gone': 'Diese Kopie war bereits beendet.',

  'hand_over.title': '{app} wird geöffnet',
  'hand_over.heading': 'Ihre Kopie von {app} wird geöffnet',
  'hand_over.text': 'Sie ist bereit, und Sie werden von selbst weitergeleitet.',
  'hand_over.open': 'Öffnen',

  'visit.skip': 'Zur App springen',
  'visit.time_left': 'Restzeit',
  'visit.ending': 'Endet bald',
  'visit.ended': 'Beendet',
  'visit.extend': '+{time}',
  'visit.extend_label': '{time} länger behalten',
  'visit.stay': 'Ich bin noch da',
  'visit.more': 'Mehr',
  'visit.share': 'Teilen',
  'visit.own_tab': 'Eigener Tab',
  'visit.export': 'Arbeit herunterladen',
  'visit.export_missed':
    'Was Sie darin gemacht haben, konnte heruntergeladen werden, solange sie lief. In der nächsten geht das mit ' +
    '„Arbeit herunterladen“ in der Leiste.',
  'visit.offer_tab': 'In neuem Tab öffnen',
  'visit.offer_declined': 'Hier bleiben',
  'visit.blocked': 'Diese App führt auf eine Seite einer anderen Website, die sich hier nicht zeigen lässt.',
  'visit.slow': 'Das dauert lange. Manche Apps lassen sich nicht in einer Seite zeigen.',
  'visit.no_storage': 'Ihr Browser lässt Apps in dieser Seite nichts speichern. Falls diese hier nicht funktioniert:',
  'visit.end': 'Beenden',
  'visit.open': 'Ihre Kopie von {app} öffnen',
  'visit.five_minutes': 'Noch fünf Minuten',
  'visit.one_minute': 'Noch eine Minute',
  'visit.unused': 'Sind Sie noch da? Diese Kopie endet bald, weil niemand sie benutzt.',
  'visit.extended': 'Erledigt: Sie haben mehr Zeit.',
  'visit.stays': 'Gut, sie bleibt.',
  'visit.others_wait': 'Andere warten auf eine Kopie, deshalb endet diese, wenn ihre Zeit um ist.',
  'visit.extension_limit': 'Diese Kopie hat ihre längste Laufzeit erreicht.',
  'visit.foreign':
    'Dieser Browser weiß nicht mehr, dass die Kopie Ihre ist, etwa weil seine Cookies gelöscht wurden. Sie läuft ' +
    'weiter, bis ihre Zeit um ist, kann hier aber nicht verlängert oder beendet werden.',
  'visit.no_answer': 'Der Server antwortet gerade nicht. Bitte versuchen Sie es noch einmal.',
  'visit.ended_heading': 'Ihre Kopie von {app} ist beendet',
  'visit.ended_text': 'Sie wurde mit allem gelöscht, was darin war. Sie können jederzeit eine neue starten.',
  'visit.was_unused': 'Sie endete vorzeitig: Eine Weile hat niemand sie benutzt.',
  'visit.container_lost': 'Sie endete vorzeitig: Sie ist abgestürzt.',
  'visit.drained': 'Sie endete vorzeitig: Die Betreiber geben davon gerade keine Kopien aus und haben alle beendet.',
  'visit.operator': 'Sie endete vorzeitig: Die Betreiber haben sie beendet.',
  'visit.database_limit': 'Sie endete vorzeitig: Sie nahm mehr von der Datenbank, als einer Kopie zusteht.',
  'visit.process_limit': 'Sie endete vorzeitig: Sie wollte immerzu mehr Prozesse, als eine Kopie haben darf.',
  'visit.node_drained': 'Sie endete vorzeitig: Der Server, auf dem sie lief, wird außer Betrieb genommen.',
  'visit.node_lost': 'Sie endete vorzeitig: Der Server, auf dem sie lief, ist ausgefallen.',
  'visit.disk_limit': 'Sie endete vorzeitig: Es wurde mehr darin gespeichert, als eine Kopie fassen darf.',
  'visit.output_limit': 'Sie endete vorzeitig: Sie hat mehr ausgegeben, als ein Server lesen kann.',
  'visit.cpu_limit': 'Sie endete vorzeitig: Sie hat lange gerechnet, ohne dass jemand sie benutzt hat.',
  'visit.again': 'Noch eine starten',
  'visit.share_heading': 'Diese Kopie teilen',
  'visit.share_text':
    'Wer diese Adresse hat, kann die Kopie benutzen und sehen, was darin ist, bis sie endet. Niemand ' +
    'sonst kann sie verlängern oder beenden.',
  'visit.share_address': 'Adresse dieser Kopie',
  'visit.copy': 'Adresse kopieren',
  'visit.copied': 'Kopiert',
  'visit.not_copied': 'Ihr Browser erlaubt es nicht; die Adresse ist markiert, kopieren Sie sie selbst.',
  'visit.close': 'Schließen',
  'visit.end_heading': 'Diese Kopie beenden?',
  'visit.end_text': 'Dann ist alles darin gelöscht, für alle, die ihre Adresse haben.',
  'visit.end_now': 'Ja, beenden',
  'visit.keep': 'Behalten',

  'waiting.title': '{app} wird vorbereitet',
  'lead.before_heading': 'Bevor Sie beginnen',
  'lead.before_text': 'Der Anbieter von {app} möchte wissen, wer es ausprobiert.',
  'lead.during_heading': 'In Kontakt bleiben',
  'lead.during_text': 'Der Anbieter von {app} freut sich, von Ihnen zu hören.',
  'lead.wrong_title': 'Noch nicht gesendet: {title}',
  'lead.email': 'E-Mail',
  'lead.name': 'Name',
  'lead.company': 'Firma',
  'lead.phone': 'Telefon',
  'lead.country': 'Land',
  'lead.message': 'Nachricht',
  'lead.optional': '{field} (freiwillig)',
  'lead.privacy': 'Wie Ihre Angaben verwendet werden',
  'lead.continue': 'Weiter',
  'lead.send': 'Senden',
  'lead.skip': 'Ohne Angaben weiter',
  'lead.problems': 'Es wurde noch nichts gesendet. Bitte sehen Sie sich an, was unten markiert ist.',
  'lead.missing': 'Bitte füllen Sie das aus.',
  'lead.malformed': 'Das sieht nicht richtig aus.',
  'lead.malformed_email': 'Bitte geben Sie eine Adresse wie anna@example.org an.',
  'lead.too_long': 'Höchstens {count} Zeichen.',
  'lead.consent_missing': 'Ihre Angaben werden nur gesendet, wenn Sie zustimmen.',
  'lead.thanks_heading': 'Vielen Dank',
  'lead.thanks_text': 'Ihre Angaben sind unterwegs. Sie können diese Seite schließen und zu {app} zurückkehren.',
  'lead.open': 'In Kontakt bleiben',

  'waiting.heading': 'Ihre Kopie von {app} wird vorbereitet',
  'waiting.preparing':
    'Alle vorbereiteten Kopien sind gerade vergeben. Eine neue braucht meist nur ein paar Sekunden, und sobald sie ' +
    'bereit ist, werden Sie weitergeleitet. Sie müssen nichts anklicken.',
  'waiting.failing':
    'Die letzten Kopien konnten nicht gestartet werden. Das liegt an uns, nicht an Ihnen. Es wird von selbst noch ' +
    'einmal versucht, und sobald eine bereit ist, werden Sie weitergeleitet.',
  'waiting.full':
    'Es sind so viele Kopien in Gebrauch, wie Platz haben. Sobald eine beendet und eine neue bereit ist, werden Sie ' +
    'weitergeleitet.',
  'waiting.waited': 'Wartezeit bisher: {time}',
  'waiting.progress_failing': 'Die letzten Starts sind fehlgeschlagen; es wird noch einmal versucht',
  'waiting.progress_full': 'Alle Kopien sind in Gebrauch; wir warten auf Platz für eine weitere',
  'waiting.progress_looking': 'Eine Kopie wird gesucht',
  'waiting.progress_warming': { one: 'Eine Kopie wird vorbereitet', other: '{count} Kopien werden vorbereitet' },
  'waiting.next': 'Sie sind als Nächstes dran',
  'waiting.position': 'Sie sind Nummer {position} in der Reihe',
  'waiting.eta': 'etwa {time}',
  'waiting.leave': 'Nicht länger warten',
  'waiting.no_answer': 'Der Server antwortet gerade nicht; wir versuchen es weiter',
  'waiting.no_connection': 'Gerade keine Verbindung; wir versuchen es weiter',
  'waiting.gave_up_title': '{app} ist noch nicht bereit',
  'waiting.gave_up_heading': 'Das dauert länger, als es sollte',
  'waiting.gave_up_text':
    'Innerhalb von {time} wurde keine Kopie von {app} bereit. Deshalb haben wir es nicht weiter versucht. Das liegt ' +
    'an uns, nicht an Ihnen.',
  'waiting.again': 'Noch einmal versuchen',

  'kit.in_tab': 'Sie ist in einem eigenen Tab offen. Ist da keiner? Dann öffnen Sie sie hier.',
  'kit.open_tab': 'In einem neuen Tab öffnen',
  'kit.held_limit':
    'Sie, oder andere mit derselben Adresse, haben so viele Kopien offen, wie gleichzeitig möglich sind. Eine, die ' +
    'nicht mehr gebraucht wird, lässt sich dort beenden, wo sie offen ist.',
  'kit.challenge_required':
    'Gerade möchten viele eine Kopie, deshalb muss Ihr Browser erst ein wenig rechnen. Das hat nicht geklappt; bitte ' +
    'versuchen Sie es noch einmal.',
  'kit.landing_not_allowed': 'Wohin dieser Knopf führt, lässt die App niemanden einsteigen.',
  'kit.foreign_origin': 'Deshalb wurde nichts getan: Diese Website darf keine Kopien dieser App anbieten.',
  'kit.queue_unavailable':
    'Ein Dienst, den wir brauchen, antwortet nicht. Bitte versuchen Sie es in einer Minute noch einmal.',
  'kit.internal_error': 'Es steht in unserem Protokoll. Bitte versuchen Sie es noch einmal.',
  'kit.other': 'Wir konnten nicht tun, was Ihr Browser verlangt hat.',

  'badge.try': '{app} ausprobieren',
  'badge.ready': 'sofort bereit',
  'badge.warming': 'gleich bereit',
  'badge.waiting': { one: '{count} wartet', other: '{count} warten' },
  'badge.paused': 'pausiert',

  'embed.title': 'Einbetten',
  'embed.heading': 'Auf Ihrer eigenen Website',
  'embed.intro':
    'Ein Schnipsel, und Ihre Readme oder Ihre Website hat einen Knopf, der für jeden, der ihn anklickt, eine Kopie ' +
    'startet.',
  'embed.app': 'App',
  'embed.allowed': 'Websites, deren Seiten {app} einbetten dürfen: {sites}',
  'embed.none_allowed':
    'Noch darf keine andere Website {app} einbetten. Wer diesen Server betreibt, nennt die Websites in {setting}; ' +
    'das Abzeichen und Links funktionieren trotzdem überall.',
  'embed.component': 'Ein Knopf für Ihre Seiten',
  'embed.component_text':
    'Besucher bleiben auf Ihrer Seite. Ohne Skripte führt das Formular darin in einen eigenen Tab.',
  'embed.mode': 'Die App öffnet sich',
  'embed.mode_modal': 'über der Seite',
  'embed.mode_inline': 'in der Seite',
  'embed.mode_tab': 'in einem neuen Tab',
  'embed.preview': 'Vorschau',
  'embed.preview_text': 'Sie ist echt: Ein Klick startet eine Kopie.',
  'embed.badge': 'Ein Abzeichen für Ihre Readme',
  'embed.badge_text': 'Es zeigt, wie es gerade steht, und führt hierher.',
  'embed.badge_live': 'Mit Zustand',
  'embed.badge_static': 'Ohne',
  'embed.markdown': 'Markdown',
  'embed.html': 'HTML',
  'embed.form': 'Ein einfaches Formular',
  'embed.form_text': 'Ganz ohne Skript: Der Besuch öffnet sich in einem eigenen Tab.',
  'embed.policy': 'Was Ihre Content Security Policy erlauben muss',
  'embed.policy_text':
    'Nur wenn Ihre Seiten eine haben. Nichts steht direkt in der Seite, weder Formatierung noch Skript.',
  'embed.copy': 'Kopieren',
  'embed.not_copied': 'Ihr Browser erlaubt es nicht; der Schnipsel ist markiert, kopieren Sie ihn selbst.',
  'embed.copy_label': 'Kopieren: {what}',

  'failure.hourly_limit.heading': 'Das war genug für eine Stunde',
  'failure.hourly_limit.text':
    'Von Ihrer Adresse aus wurden so viele Kopien gestartet, wie in einer Stunde möglich sind.',
  'failure.daily_limit.heading': 'Das war genug für einen Tag',
  'failure.daily_limit.text': 'Von Ihrer Adresse aus wurden so viele Kopien gestartet, wie an einem Tag möglich sind.',
  'failure.held_limit.heading': 'Mehr Kopien auf einmal gehen nicht',
  'failure.held_limit.text':
    'Sie, oder andere mit derselben Adresse, haben so viele Kopien offen, wie gleichzeitig möglich sind. Gehen Sie ' +
    'zu einer von Ihren zurück, oder beenden Sie eine, die nicht mehr gebraucht wird: Beides zeigt die Startseite.',
  'failure.harm_limit.heading': 'Im Moment nicht',
  'failure.harm_limit.text':
    'Mehrere Kopien, die Ihr Browser oder Ihre Adresse zuletzt hatte, wurden beendet, weil sie nahmen, was andere ' +
    'brauchen. Deshalb gibt es eine Weile keine.',
  'gate.title': 'Einen Moment · {app}',
  'gate.heading': 'Ihr Browser rechnet etwas aus',
  'gate.text':
    'Gerade möchten viele eine Kopie von {app}. Bevor Sie Ihre bekommen, rechnet Ihr Browser ein wenig, damit nicht ' +
    'Programme alle wegnehmen. Das dauert einen Moment, geht von selbst weiter und erfährt nichts über Sie.',
  'gate.no_script':
    'Dafür wird JavaScript gebraucht, das hier nicht läuft. Erlauben Sie es für diese Seite, oder kommen Sie wieder, ' +
    'wenn weniger los ist: Dann ist nichts zu rechnen.',
  'failure.challenge_required.heading': 'Erst ist etwas auszurechnen',
  'failure.challenge_required.text':
    'Gerade möchten viele eine Kopie, deshalb muss Ihr Browser erst ein wenig rechnen. Beginnen Sie auf der ' +
    'Startseite, dort geschieht das von selbst; es braucht JavaScript.',
  'failure.banned.heading': 'An Ihre Adresse wird nichts ausgegeben',
  'failure.banned.text':
    'Das haben die Betreiber für einige Zeit so entschieden, für Ihre Adresse oder für das Netz, zu dem sie gehört. ' +
    'Wenn Sie meinen, dass das nicht Ihnen gilt, fragen Sie dort nach.',
  'failure.unknown_template.heading': 'Diese App gibt es hier nicht',
  'failure.unknown_template.text':
    'Vielleicht wird sie nicht mehr angeboten, oder in der Adresse steckt ein Tippfehler.',
  'failure.unknown_instance.heading': 'Diese Kopie ist beendet',
  'failure.unknown_instance.text': 'Alles in ihr ist gelöscht. Sie können jederzeit eine neue starten.',
  'failure.landing_not_allowed.heading': 'Dieser Link führt ins Leere',
  'failure.landing_not_allowed.text':
    'Wohin der Link zeigt, lässt die App niemanden einsteigen. Beginnen Sie stattdessen auf der Startseite.',
  'failure.unknown_route.heading': 'Hier ist nichts',
  'failure.unknown_route.text': 'In der Adresse steckt ein Tippfehler, oder was hier war, gibt es nicht mehr.',
  'failure.headers_too_large.heading': 'Der Browser schickt zu viel auf einmal',
  'failure.headers_too_large.text':
    'Falls sich für diese Adresse Cookies angesammelt hatten, sind die größten davon jetzt gelöscht; einer der ' +
    'nächsten Versuche sollte also gelingen. Sonst bitte die Cookies dieser Seite selbst löschen.',
  'failure.foreign_origin.heading': 'Dieser Klick kam von einer anderen Website',
  'failure.foreign_origin.text': 'Deshalb ist nichts geschehen. Von unserer eigenen Seite aus funktioniert es.',
  'failure.template_ended.heading': 'Das wird nicht mehr angeboten',
  'failure.template_ended.text':
    'Die Zeit dafür ist um, wie bei einer Vorschau, deren Änderung fertig ist. Es gibt keine Kopie mehr davon.',
  'failure.foreign_visit.heading': 'Diese Kopie ist hier nicht als Ihre bekannt',
  'failure.foreign_visit.text':
    'Sie wurde in einem anderen Browser begonnen, oder die Cookies von diesem wurden gelöscht. Deshalb ist nichts ' +
    'geschehen; die Kopie läuft weiter, bis ihre Zeit um ist.',
  'failure.store_unavailable.heading': 'Wir können gerade keine Kopien ausgeben',
  'failure.store_unavailable.text':
    'Ein Dienst, den wir brauchen, antwortet nicht. Laufende Kopien laufen weiter. Bitte versuchen Sie es in einer ' +
    'Minute noch einmal.',
  'failure.queue_unavailable.heading': 'Das können wir gerade nicht annehmen',
  'failure.queue_unavailable.text':
    'Ein Dienst, den wir brauchen, antwortet nicht. Bitte gehen Sie zurück und versuchen Sie es in einer Minute noch ' +
    'einmal.',
  'failure.pool_paused.heading': 'Kurze Pause',
  'failure.pool_paused.text':
    'Die Betreiber geben hiervon zurzeit keine Kopien aus. Laufende Kopien laufen weiter. Bitte kommen Sie etwas ' +
    'später wieder.',
  'failure.pool_empty.heading': 'Hiervon gibt es gerade keine Kopien',
  'failure.pool_empty.text':
    'Es werden auch keine vorbereitet, Warten hilft also nicht. Bitte kommen Sie später wieder.',
  'failure.shutting_down.heading': 'Gleich wieder da',
  'failure.shutting_down.text':
    'Dieser Server wird gerade neu gestartet. Bitte versuchen Sie es in ein paar Sekunden noch einmal.',
  'failure.internal_error.heading': 'Hier ist etwas schiefgegangen',
  'failure.internal_error.text':
    'Es steht in unserem Protokoll. Bitte versuchen Sie es noch einmal. Wenn es dabei bleibt, nennen Sie uns die ' +
    'Nummer unten.',
  'failure.export_failed.heading': 'Das Herunterladen hat nicht geklappt',
  'failure.export_failed.text':
    'Die App konnte nicht hergeben, was Sie gemacht haben. Vielleicht geht es gleich; Ihre Kopie läuft weiter.',
  'failure.export_too_large.heading': 'Das ist zu viel zum Herunterladen',
  'failure.export_too_large.text':
    'Was in Ihrer Kopie ist, ist größer, als heruntergeladen werden darf. Nehmen Sie etwas heraus und versuchen ' +
    'Sie es noch einmal.',
  'failure.export_busy.heading': 'Es wird schon heruntergeladen',
  'failure.export_busy.text': 'Warten Sie, bis das fertig ist, und versuchen Sie es dann noch einmal, falls nötig.',
  'failure.other.heading': 'Das hat nicht geklappt',
  'failure.other.text':
    'Wir konnten nicht tun, was Ihr Browser verlangt hat. Beginnen Sie noch einmal auf der Startseite.',
  'failure.next_one': 'Die nächste ist in etwa {time} möglich. Was Sie geöffnet haben, bleibt Ihnen.',
  'failure.banned_for': 'Das endet in etwa {time}.',
  'failure.first_ends': 'Die erste davon endet in etwa {time}.',
  'failure.request_number': 'Nummer dieser Anfrage: {number}',

  'problem.status': '{code} · HTTP-Status {status}',
  'problem.retryable': 'Dieselbe Anfrage kann später unverändert gelingen.',
  'problem.not_retryable': 'Dieselbe Anfrage schlägt wieder fehl, bis sie geändert wird.',

  'ended.title': 'Diese Kopie ist beendet',
  'ended.text':
    'Unter dieser Adresse läuft nichts. Eine Kopie läuft nur für begrenzte Zeit. Danach wird sie mit allem, was in ' +
    'ihr war, gelöscht. Fällt sie aus, endet sie früher.',
  'ended.reload':
    'Waren Sie mitten in etwas? Laden Sie die Seite einmal neu. Wenn Sie das hier wieder sehen, ist sie gelöscht.',
  'ended.start': 'Eine neue starten',
  'unreachable.title': 'Einen Moment',
  'unreachable.text':
    'Ihre Kopie antwortet gerade nicht. Sie ist beschäftigt oder startet neu, oder sie ist eben beendet worden.',
  'unreachable.retry':
    'Diese Seite versucht es von selbst wieder (alle {time}) und sagt es, wenn es die Kopie nicht mehr gibt.',
  'lost.title': 'Ihre Kopie ist nicht erreichbar',
  'lost.text':
    'Der Server, auf dem Ihre Kopie liegt, antwortet nicht mehr. Was Sie darin getan haben, ist vielleicht verloren.',
  'lost.back':
    'Kommt er rechtzeitig zurück, geht Ihre Kopie da weiter, wo sie war; diese Seite sieht von selbst nach. Oder ' +
    'nehmen Sie jetzt eine neue.',
  'lost.again': 'Neue Kopie starten',
  'silent.title': 'Noch keine Antwort',
  'silent.text':
    'Ihre Kopie hat die Anfrage angenommen, aber innerhalb von {time} kam nichts zurück. Die App darin hängt, oder ' +
    'sie braucht hierfür länger.',
  'silent.reload':
    'Was Sie verlangt haben, geschieht vielleicht noch: Sehen Sie nach, bevor Sie es wiederholen. Laden Sie die ' +
    'Seite neu, um zu sehen, ob die App jetzt antwortet.',
} as const satisfies Messages;
