export const edition = "first";
