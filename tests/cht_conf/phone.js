// Evaluates compiled rules for one contact as the CHT's app does on a phone.
// stdin: {rules, now, user, contact, reports}; stdout: what each task would be.
const fs = require('fs');
const { createRequire } = require('module');

const installed = createRequire(process.argv[2]);
const asked = JSON.parse(fs.readFileSync(0, 'utf8'));

const now = Date.parse(asked.now);
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length ? given : [now]));
  }
  static now() {
    return now;
  }
};

const copy = function (values) {
  Object.assign(this, values);
};
const emitted = [];
const rules = new Function('c', 'Task', 'Target', 'Utils', 'user', 'cht', 'emit', asked.rules);
const fact = { contact: asked.contact, reports: asked.reports, tasks: [] };
const Utils = installed('cht-nootils')({ tasks: {} });
rules(fact, copy, copy, Utils, asked.user, { v1: {} }, (kind, task) => {
  if (kind === 'task') {
    emitted.push(task);
  }
});

function day(date, days) {
  const moved = Utils.addDate(date, days);
  const parts = [moved.getFullYear(), moved.getMonth() + 1, moved.getDate()];
  return parts.map(part => String(part).padStart(2, '0')).join('-');
}

function state(task) {
  const today = day(new Date(), 0);
  if (task.resolved) {
    return 'Completed';
  }
  if (task.deleted) {
    return 'Cancelled';
  }
  if (day(task.date, -task.readyStart) > today) {
    return 'Draft';
  }
  return day(task.date, task.readyEnd) < today ? 'Failed' : 'Ready';
}

process.stdout.write(JSON.stringify(emitted.map(task => ({
  id: task._id,
  state: state(task),
  due_on: day(task.date, 0),
  actions: task.actions.map(action => {
    const { contact, ...content } = action.content;
    return { ...action, content: { ...content, contact: contact && contact._id } };
  }),
  priority: task.priority,
}))));
