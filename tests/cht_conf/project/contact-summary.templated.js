module.exports = { context: {}, fields: [], cards: [] };
