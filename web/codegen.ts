import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../schema.graphql",
  documents: "src/graphql/*.graphql",
  silent: true,
  generates: {
    "src/graphql/generated.ts": {
      plugins: ["typescript-operations", "typed-document-node"],
      config: {
        scalars: { BigInt: "number", Date: "string", JSON: "string", Phone: "string" },
        enumType: "string-literal",
        enumsAsTypes: true,
        useTypeImports: true,
        dedupeFragments: true,
        defaultScalarType: "never",
      },
    },
  },
};

export default config;
