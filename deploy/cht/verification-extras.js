// What the answers of CHT Worklist mean for a CHW's task about the same missed appointment.
// README.md says what to add to tasks.js.

// The day on which your supervisors begin. Reports from before are traced as they always were.
const SINCE = new Date(2026, 11, 1); // 1 December 2026: months count from 0

// What the definition in tasks.yml says: change it here when you change it there.
const DEFINITION = 'verify-missed-appointment'; // name
const FORM = 'missed_appointment_verification'; // the form of actions
const APPOINTMENT_DATE = 'trace_details.missed_appointment_date'; // appointmentDate
const LAST_DAY = 28; // days + end of the event
const NOBODY_GOES = ['transferred_out', 'died', 'record_error']; // reasons that need no visit
const isSelected = trace => // appliesIf
  /art|ncd|tb/.test(Utils.getField(trace, 'trace_details.trace_reasons') || '');

const mustBeVerified = trace =>
  isSelected(trace) && !trace.deleted && trace.reported_date >= SINCE.getTime();

// As YYYY-MM-DD, or nothing where it cannot be read.
function appointmentDay(trace) {
  const value = Utils.getField(trace, APPOINTMENT_DATE);
  if (typeof value !== 'number') {
    return /^\d{4}-\d{2}-\d{2}/.test(value) ? value.slice(0, 10) : '';
  }
  const date = new Date(value);
  const twoDigits = number => String(number).padStart(2, '0');
  return [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join('-');
}

// A medical record system sends its list again each night: the first report about an appointment
// gives the task, the others give none.
function isFirst(contact, trace) {
  const day = appointmentDay(trace);
  const isEarlier = other => other.reported_date < trace.reported_date
    || other.reported_date === trace.reported_date && other._id < trace._id;
  return !day || !contact.reports.some(other => other.form === trace.form
    && mustBeVerified(other)
    && appointmentDay(other) === day
    && isEarlier(other));
}

const taskId = report =>
  Utils.getField(report, 'inputs.task_id') || Utils.getField(report, 'task_id') || '';

const outcome = report => Utils.getField(report, 'verification.outcome');

const sendsSomebody = report => outcome(report) === 'not_visited'
  && !NOBODY_GOES.includes(Utils.getField(report, 'verification.reason'));

// An answer is about an appointment. Without a day it is about the report that its task came from,
// and without a task, as when it was filled in by hand, about all that was reported before.
function isAbout(trace, report) {
  const id = taskId(report);
  if (id && !id.endsWith(`~${DEFINITION}`)) {
    return false;
  }
  const asked = appointmentDay(trace);
  const answered = Utils.getField(report, 'appointment_date');
  if (asked && answered) {
    return asked === answered;
  }
  return id ? id.startsWith(`${trace._id}~`) : report.reported_date > trace.reported_date;
}

// In order: of one task by their rounds, else by date. One without an outcome is none.
function answersTo(contact, trace) {
  const round = report => Number(Utils.getField(report, 'round')) || 1;
  return contact.reports
    .filter(report => report.form === FORM && !report.deleted)
    .filter(report => ['visited', 'not_visited'].includes(outcome(report)))
    .filter(report => isAbout(trace, report))
    .sort((one, other) => taskId(one) === taskId(other) && round(one) - round(other)
      || one.reported_date - other.reported_date);
}

const verificationEnds = trace => Utils.addDate(new Date(trace.reported_date), LAST_DAY + 1);

// Where answers were corrected: the one since which somebody is to go.
function sentBy(contact, trace) {
  return answersTo(contact, trace)
    .filter((answer, i, all) => sendsSomebody(answer) && !(i > 0 && sendsSomebody(all[i - 1])))
    .pop();
}

// For appliesIf: whether the CHW may have the task. So it is when the supervisor has found that
// somebody should go, when nobody has answered in time, and when nobody is asked at all.
function isReleased(contact, trace) {
  if (!mustBeVerified(trace)) {
    return true;
  }
  const end = verificationEnds(trace);
  return isFirst(contact, trace) && (Boolean(sentBy(contact, trace))
    || Utils.now() >= end && answersTo(contact, trace).every(one => one.reported_date >= end));
}

// For dueDate: the day to count from, in place of the day of the report.
function releasedOn(contact, trace) {
  if (!mustBeVerified(trace)) {
    return new Date(trace.reported_date);
  }
  const answer = sentBy(contact, trace);
  return answer ? new Date(answer.reported_date) : verificationEnds(trace);
}

// For resolvedIf: whether the answer that counts says that nobody needs to go.
function isCalledOff(contact, trace) {
  const answer = isSelected(trace) && answersTo(contact, trace).pop();
  return Boolean(answer) && !sendsSomebody(answer);
}

module.exports = { isReleased, releasedOn, isCalledOff };
