// Letters that Unicode does not take apart into a plain letter and a mark.
const plain = { Æ: "Ae", æ: "ae", Ø: "O", ø: "o", Ł: "L", ł: "l", ß: "ss" };

export const latin = (text) => text.replace(/[ÆæØøŁłß]/g, (letter) => plain[letter]);
