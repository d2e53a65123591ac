// Shows DICOM files by dcmjs-imaging: a path a line on stdin; the answer is "width height" and the pixels (RGBA) in
// PATH.rgba, or an empty line. Run in the folder where the package is installed.
const fs = require("fs");
const readline = require("readline");
const { DicomImage, NativePixelDecoder } = require(require.resolve("dcmjs-imaging", { paths: [process.cwd()] }));
const told = process.stdout;
for (const level of ["log", "info", "warn", "debug"]) console[level] = () => {};

(async () => {
  await NativePixelDecoder.initializeAsync();
  for await (const path of readline.createInterface({ input: process.stdin })) {
    try {
      const bytes = fs.readFileSync(path);
      const image = new DicomImage(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      const shown = image.render({ renderOverlays: false });
      fs.writeFileSync(path + ".rgba", Buffer.from(shown.pixels));
      told.write(`${shown.width} ${shown.height}\n`);
    } catch (error) {
      told.write("\n");
    }
  }
})();
