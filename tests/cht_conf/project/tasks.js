const { isChw, isAlive, isMuted, startsFrom } = require('./nools-extras');

module.exports = [
  {
    name: 'trace-follow-up',
    icon: 'icon-followup-general',
    title: 'task.trace_follow_up.title',
    appliesTo: 'reports',
    appliesToType: ['trace'],
    appliesIf: (contact, trace) => isChw()
      && isAlive(contact.contact)
      && !isMuted(contact.contact)
      && Utils.getField(trace, 'trace_details.visit') !== 'cancelled',
    resolvedIf: (contact, trace, event, dueDate) => {
      const start = Utils.addDate(dueDate, -event.start).getTime();
      const end = Utils.addDate(dueDate, event.end + 1).getTime();
      const followUps = contact.reports.filter(report => startsFrom(report, trace));
      return Utils.isFormSubmittedInWindow(followUps, 'trace_follow_up', start, end)
        || Utils.isFirstReportNewer(
          Utils.getMostRecentReport(contact.reports, 'visit_verification'),
          Utils.getMostRecentReport(contact.reports, 'trace')
        );
    },
    events: [
      { id: 'trace-visit', days: 3, start: 1, end: 8 },
    ],
    actions: [{
      form: 'trace_follow_up',
      label: 'task.trace_follow_up.action',
      modifyContent: (content, contact, trace) => {
        content.t_trace_reasons = Utils.getField(trace, 'trace_details.trace_reasons');
        content.t_missed_date = Utils.getField(trace, 'trace_details.missed_appointment_date');
      },
    }],
    priority: () => ({ level: 7, label: 'task.priority.trace' }),
  },
  {
    name: 'trace-next-attempt',
    icon: 'icon-followup-general',
    title: 'task.trace_next_attempt.title',
    appliesTo: 'reports',
    appliesToType: ['trace_follow_up'],
    appliesIf: (contact, report) => isChw()
      && Boolean(Utils.getField(report, 'trace_details.next_attempt_date')),
    events: [{
      id: 'attempt',
      start: 0,
      end: 3,
      dueDate: (event, contact, report) =>
        Utils.addDate(new Date(Utils.getField(report, 'trace_details.next_attempt_date')), 0),
    }],
    actions: [{ type: 'report', form: 'trace_follow_up' }],
  },
];
