/**
 * Every text that visitors see, in English; the other catalogues follow this one. `{name}` stands for what is put in. A
 * text with `one` and `other` is chosen by the number `count`, by the plural forms of its language.
 * One with placeholders is a single literal, however long, because the compiler reads them in it.
 */
export const en = {
  'site.title': 'Try It Now',
  'site.skip': 'Skip to the content',
  'site.promise': 'Every copy is private to the one who started it, and gone when its time is up.',
  'site.api': 'API',
  'site.embed': 'Embed',
  'site.abuse': 'Report abuse',
  'site.back': 'Back to the start',

  'home.heading': 'A running app of your own, {emphasis}',
  'home.heading_emphasis': 'one click away',
  'home.intro':
    'No sign-up, nothing to install. Pick one, and you are in a fresh copy that belongs to you alone until its time ' +
    'is up.',
  'home.paused': 'Paused',
  'home.ready': 'Ready now',
  'home.warming': 'Ready in a moment',
  'home.terms': 'Yours for {time}',
  'home.terms_extendable': 'Yours for {time}, up to {longest} if you like',
  'home.try': 'Try it now',
  'home.try_label': 'Try it now: {app}',
  'home.starting': 'Starting…',
  'home.time_left': 'Yours · {time} left',
  'home.open': 'Open yours',
  'home.open_label': 'Open yours: {app}',
  'home.extend': '+{time}',
  'home.extend_label': '+{time} for your copy of {app}',
  'home.export': 'Download',
  'home.export_label': 'Download what is in your copy of {app}',
  'home.end': 'End it',
  'home.end_label': 'End it: your copy of {app}',
  'home.pause': 'No copies are handed out for the moment. Please come back a little later.',
  'home.pause_held': 'No new copies are handed out for now. Yours stays until its time is up.',
  'home.pause_held_ending': 'No new copies are handed out for now. Yours ends in {time} at the latest.',
  'home.operators_say': 'The operators say: {reason}',
  'home.notice_ended': 'Ended. Everything in that copy is gone.',
  'home.notice_extended': 'Done: you have more time.',
  'home.notice_others_wait': 'Others wait for a copy, so this one ends when its time is up.',
  'home.notice_extension_limit': 'This copy has reached its longest stay and cannot be kept any longer.',
  'home.notice_gone': 'That copy had already ended.',

  'hand_over.title': 'Opening {app}',
  'hand_over.heading': 'Opening your {app}',
  'hand_over.text': 'It is ready, and opens by itself.',
  'hand_over.open': 'Open it',

  'visit.skip': 'Skip to the app',
  'visit.time_left': 'Time left',
  'visit.ending': 'Ending soon',
  'visit.ended': 'Ended',
  'visit.extend': '+{time}',
  'visit.extend_label': 'Keep it {time} longer',
  'visit.stay': 'I am still here',
  'visit.more': 'More',
  'visit.share': 'Share',
  'visit.own_tab': 'Own tab',
  'visit.export': 'Download your work',
  'visit.export_missed':
    'What you made in it could be downloaded while it ran. In the next one, “Download your work” in the bar does so.',
  'visit.offer_tab': 'Open it in a new tab',
  'visit.offer_declined': 'Stay here',
  'visit.blocked': 'This app leads to a page of another site, which cannot be shown here.',
  'visit.slow': 'It is taking long. Some apps cannot be shown inside a page.',
  'visit.no_storage': 'Your browser lets apps store nothing inside this page. If this one does not work here:',
  'visit.end': 'End',
  'visit.open': 'Open your {app}',
  'visit.five_minutes': 'Five minutes left',
  'visit.one_minute': 'One minute left',
  'visit.unused': 'Are you still there? This copy ends soon because nobody uses it.',
  'visit.extended': 'Done: you have more time.',
  'visit.stays': 'Good, it stays.',
  'visit.others_wait': 'Others wait for a copy, so this one ends when its time is up.',
  'visit.extension_limit': 'This copy has reached its longest stay.',
  'visit.foreign':
    'This browser no longer knows that the copy is yours, as after its cookies were deleted. The copy goes on until ' +
    'its time is up, but cannot be kept longer or ended here.',
  'visit.no_answer': 'The server does not answer right now. Please try again.',
  'visit.ended_heading': 'Your {app} has ended',
  'visit.ended_text': 'It was removed with everything that was in it. You can start a fresh one whenever you like.',
  'visit.was_unused': 'It ended early: nobody used it for some time.',
  'visit.container_lost': 'It ended early: it broke down.',
  'visit.drained': 'It ended early: the operators hand out no copies of this for now, and ended those that ran.',
  'visit.operator': 'It ended early: the operators ended it.',
  'visit.database_limit': 'It ended early: it took more of the database than a copy may have.',
  'visit.process_limit': 'It ended early: it kept asking for more processes than a copy may have.',
  'visit.node_drained': 'It ended early: the server it was on is being taken out of service.',
  'visit.node_lost': 'It ended early: the server it was on was lost.',
  'visit.disk_limit': 'It ended early: more was written in it than a copy may hold.',
  'visit.output_limit': 'It ended early: it wrote more output than a server can read.',
  'visit.cpu_limit': 'It ended early: it kept computing for a long time while nobody used it.',
  'visit.again': 'Start another',
  'visit.share_heading': 'Share this copy',
  'visit.share_text':
    'Whoever has this address can use the copy and see what is in it, until it ends. Nobody else can ' +
    'keep it longer or end it.',
  'visit.share_address': 'Address of this copy',
  'visit.copy': 'Copy the address',
  'visit.copied': 'Copied',
  'visit.not_copied': 'Your browser does not allow it; the address is selected, copy it yourself.',
  'visit.close': 'Close',
  'visit.end_heading': 'End this copy?',
  'visit.end_text': 'Everything in it is gone then, for everybody who has its address.',
  'visit.end_now': 'End it',
  'visit.keep': 'Keep it',

  'waiting.title': 'Preparing {app}',
  'lead.before_heading': 'Before you start',
  'lead.before_text': 'Those who offer {app} would like to know who tries it.',
  'lead.during_heading': 'Stay in touch',
  'lead.during_text': 'Those who offer {app} would like to hear from you.',
  'lead.wrong_title': 'Not sent yet: {title}',
  'lead.email': 'E-mail',
  'lead.name': 'Name',
  'lead.company': 'Company',
  'lead.phone': 'Phone',
  'lead.country': 'Country',
  'lead.message': 'Message',
  'lead.optional': '{field} (optional)',
  'lead.privacy': 'How your details are used',
  'lead.continue': 'Continue',
  'lead.send': 'Send',
  'lead.skip': 'Continue without',
  'lead.problems': 'Nothing was sent yet. Please look at what is marked below.',
  'lead.missing': 'Please fill this in.',
  'lead.malformed': 'This does not look right.',
  'lead.malformed_email': 'Please write an address such as ann@example.org.',
  'lead.too_long': 'At most {count} characters.',
  'lead.consent_missing': 'Your details are sent only if you agree.',
  'lead.thanks_heading': 'Thank you',
  'lead.thanks_text': 'Your details are on their way. You can close this page and go back to {app}.',
  'lead.open': 'Stay in touch',

  'waiting.heading': 'Preparing your {app}',
  'waiting.preparing':
    'Every warm copy was taken just now. A fresh one usually takes a few seconds, and you go in as soon as it is ' +
    'ready. There is nothing to click.',
  'waiting.failing':
    'The last copies could not be started. That is our fault, not yours; it is tried again by itself, and you go in ' +
    'as soon as one is ready.',
  'waiting.full':
    'As many copies as there is room for are in use. You go in as soon as one has ended and a fresh one is ready.',
  'waiting.waited': 'Waiting for {time}',
  'waiting.progress_failing': 'The last starts failed; it is tried again',
  'waiting.progress_full': 'All copies are in use; waiting for room for another',
  'waiting.progress_looking': 'Looking for a copy',
  'waiting.progress_warming': { one: 'One copy is being prepared', other: '{count} copies are being prepared' },
  'waiting.next': 'You are next',
  'waiting.position': 'You are number {position} in the line',
  'waiting.eta': 'about {time}',
  'waiting.leave': 'Stop waiting',
  'waiting.no_answer': 'The server does not answer right now; still trying',
  'waiting.no_connection': 'No connection right now; still trying',
  'waiting.gave_up_title': '{app} is not ready yet',
  'waiting.gave_up_heading': 'This takes longer than it should',
  'waiting.gave_up_text':
    'No copy of {app} became ready within {time}, so we stopped trying. That is our fault, not yours.',
  'waiting.again': 'Try again',

  'kit.in_tab': 'It is open in a tab of its own. Is there none? Then open it here.',
  'kit.open_tab': 'Open it in a new tab',
  'kit.held_limit':
    'You, or others who share your address, have as many copies open as one may at once. One that is no longer ' +
    'needed can be ended where it is open.',
  'kit.challenge_required':
    'Many want a copy right now, so your browser has to do a little arithmetic first. That did not work; please try ' +
    'again.',
  'kit.landing_not_allowed': 'The app does not let visitors land where this button leads.',
  'kit.foreign_origin': 'So nothing was done: this site may not offer copies of that app.',
  'kit.queue_unavailable': 'Something we need does not answer. Please try again in a minute.',
  'kit.internal_error': 'It is in our log. Please try again.',
  'kit.other': 'We could not do what your browser asked for.',

  'badge.try': 'Try {app}',
  'badge.ready': 'ready now',
  'badge.warming': 'ready in a moment',
  'badge.waiting': { one: '{count} waiting', other: '{count} waiting' },
  'badge.paused': 'paused',

  'embed.title': 'Embed',
  'embed.heading': 'Put it on your own site',
  'embed.intro': 'One snippet, and your readme or your site has a button that starts a copy for whoever clicks it.',
  'embed.app': 'App',
  'embed.allowed': 'Sites whose pages may embed {app}: {sites}',
  'embed.none_allowed': `No other site may embed {app} yet. Whoever runs this server names the sites in {setting}; \
the badge and links work everywhere all the same.`,
  'embed.component': 'A button for your pages',
  'embed.component_text': 'The visitor stays on your page. Without scripts, the form in it leads to a tab of its own.',
  'embed.mode': 'It opens',
  'embed.mode_modal': 'above the page',
  'embed.mode_inline': 'in the page',
  'embed.mode_tab': 'in a new tab',
  'embed.preview': 'Preview',
  'embed.preview_text': 'It is the real thing: a click starts a copy.',
  'embed.badge': 'A badge for your readme',
  'embed.badge_text': 'It shows how things stand, and leads here.',
  'embed.badge_live': 'With the state',
  'embed.badge_static': 'Without',
  'embed.markdown': 'Markdown',
  'embed.html': 'HTML',
  'embed.form': 'A plain form',
  'embed.form_text': 'No script at all: the visit opens in a tab of its own.',
  'embed.policy': 'What your content security policy has to allow',
  'embed.policy_text': 'Only where your pages have one. Nothing inline is needed, neither styles nor scripts.',
  'embed.copy': 'Copy',
  'embed.not_copied': 'Your browser does not allow it; the snippet is selected, copy it yourself.',
  'embed.copy_label': 'Copy: {what}',

  'failure.hourly_limit.heading': 'That was plenty for one hour',
  'failure.hourly_limit.text': 'Your address has started as many copies as one may within an hour.',
  'failure.daily_limit.heading': 'That was plenty for one day',
  'failure.daily_limit.text': 'Your address has started as many copies as one may within a day.',
  'failure.held_limit.heading': 'That is as many as one may have open',
  'failure.held_limit.text':
    'You, or others who share your address, have as many copies open as one may at once. Go back to one of yours, or ' +
    'end one that is no longer needed: the first page shows both.',
  'failure.harm_limit.heading': 'Not right now',
  'failure.harm_limit.text':
    'Several copies that your browser, or your address, had lately were ended because they took what others need. ' +
    'So there are none for a while.',
  'gate.title': 'One moment · {app}',
  'gate.heading': 'Your browser works something out',
  'gate.text': `Many want a copy of {app} right now. Before you get yours, your browser does a little arithmetic, \
which keeps programs from taking them all. It takes a moment, goes on by itself, and finds out nothing about you.`,
  'gate.no_script':
    'That needs JavaScript, which does not run here. Allow it for this page, or come back when it is quieter: then ' +
    'nothing has to be worked out.',
  'failure.challenge_required.heading': 'Something has to be worked out first',
  'failure.challenge_required.text':
    'Many want a copy right now, so your browser has to do a little arithmetic first. Start from the first page, ' +
    'which does it by itself; it needs JavaScript.',
  'failure.banned.heading': 'Nothing is handed out to your address',
  'failure.banned.text':
    'The operators have decided so for some time, for your address or for the network it is in. If you think that it ' +
    'is not meant for you, ask them.',
  'failure.unknown_template.heading': 'There is no such app here',
  'failure.unknown_template.text': 'It may have been taken off the list, or the address has a typo.',
  'failure.unknown_instance.heading': 'This copy has ended',
  'failure.unknown_instance.text': 'Everything in it is gone. You can start a fresh one whenever you like.',
  'failure.landing_not_allowed.heading': 'That link leads nowhere',
  'failure.landing_not_allowed.text':
    'The app does not let visitors land where the link points. Start from the first page instead.',
  'failure.unknown_route.heading': 'There is nothing here',
  'failure.unknown_route.text': 'The address has a typo, or what was here is gone.',
  'failure.headers_too_large.heading': 'Your browser sends too much at once',
  'failure.headers_too_large.text':
    'If cookies had piled up for this address, the largest of them are deleted now, so one of the next tries should ' +
    'work. If none does, delete the cookies of this site yourself.',
  'failure.foreign_origin.heading': 'That click came from another site',
  'failure.foreign_origin.text': 'So nothing was done. Start from our own page and it will work.',
  'failure.template_ended.heading': 'It is not offered any more',
  'failure.template_ended.text':
    'Its time is over, as that of a preview once its change is done. There is no copy to be had.',
  'failure.foreign_visit.heading': 'This copy is not known as yours here',
  'failure.foreign_visit.text':
    'It was begun in another browser, or the cookies of this one were deleted. So nothing was done; the copy goes on ' +
    'until its time is up.',
  'failure.store_unavailable.heading': 'We cannot hand out copies right now',
  'failure.store_unavailable.text':
    'Something we need does not answer. Copies that already run go on running; please try again in a minute.',
  'failure.queue_unavailable.heading': 'We cannot take that right now',
  'failure.queue_unavailable.text': 'Something we need does not answer. Please go back and try again in a minute.',
  'failure.pool_paused.heading': 'Taking a break',
  'failure.pool_paused.text':
    'The operators hand out no copies of this for the moment. Copies that already run go on running; please come ' +
    'back a little later.',
  'failure.pool_empty.heading': 'There are no copies of this right now',
  'failure.pool_empty.text': 'None are being prepared either, so there is no use in waiting. Please come back later.',
  'failure.shutting_down.heading': 'Back in a moment',
  'failure.shutting_down.text': 'This server is being restarted. Please try again in a few seconds.',
  'failure.internal_error.heading': 'Something went wrong here',
  'failure.internal_error.text': 'It is in our log. Please try again; if it stays, tell us the number below.',
  'failure.export_failed.heading': 'The download did not work',
  'failure.export_failed.text':
    'The app could not give what you made. It may work in a moment; your copy goes on meanwhile.',
  'failure.export_too_large.heading': 'That is too much to download',
  'failure.export_too_large.text':
    'What is in your copy is larger than may be downloaded. Take something out, and try again.',
  'failure.export_busy.heading': 'A download is under way',
  'failure.export_busy.text': 'Wait until it is done, and try again if you still need to.',
  'failure.other.heading': 'That did not work',
  'failure.other.text': 'We could not do what your browser asked for. Start again from the first page.',
  'failure.next_one': 'The next one is possible in about {time}. What you have open stays yours.',
  'failure.banned_for': 'It ends in about {time}.',
  'failure.first_ends': 'The first of them ends in about {time}.',
  'failure.request_number': 'Number of this request: {number}',

  'problem.status': '{code} · HTTP status {status}',
  'problem.retryable': 'The same request may succeed later without being changed.',
  'problem.not_retryable': 'The same request will fail again until it is changed.',

  'ended.title': 'This copy has ended',
  'ended.text':
    'Nothing runs at this address. A copy lives for a limited time; then it is removed with everything that was in ' +
    'it. One that breaks down ends early.',
  'ended.reload': 'Were you in the middle of something? Reload once. If you see this again, it is gone.',
  'ended.start': 'Start a new one',
  'unreachable.title': 'One moment',
  'unreachable.text': 'Your copy does not answer right now. It is busy or starting again, or it has just ended.',
  'unreachable.retry': 'This page tries again every {time}, and says so when the copy is gone.',
  'lost.title': 'Your copy cannot be reached',
  'lost.text': 'The server that holds your copy has stopped answering. What you did there may be lost.',
  'lost.back':
    'Should it come back in time, your copy goes on where it was; this page looks by itself. Or take a new copy now.',
  'lost.again': 'Get a new copy',
  'silent.title': 'No answer yet',
  'silent.text': `Your copy took the request, but nothing came back within {time}. The app in it hangs, or this \
takes it longer than that.`,
  'silent.reload':
    'What you asked for may still be done: look before you do it again. Reload to see whether it answers now.',
} as const;
