const isChw = () => Boolean(user.parent) && user.parent.contact_type === 'chw_area';

const isAlive = contact => Boolean(contact) && !contact.date_of_death;

const isMuted = contact => Boolean(contact.muted);

const startsFrom = (report, source) => Utils.getField(report, 'inputs.source_id') === source._id;

module.exports = { isChw, isAlive, isMuted, startsFrom };
