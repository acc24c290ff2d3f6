import globals from 'globals'
import reactHooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['**/node_modules/**', '**/dist/**', '.toolchain/**', 'data/**', 'e2e/results/**', '.turbo/**'] },
  ...tseslint.configs.strict,
  {
    languageOptions: { globals: { ...globals.node } },
    rules: {
      // `rows[0]!` after an insert that returns is the house style (design/style-guide.md).
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-invalid-void-type': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['frontend/src/**'],
    languageOptions: { globals: globals.browser },
    ...reactHooks.configs.flat?.recommended,
  },
  {
    files: ['infrastructure/**', 'bench/**', 'backend/src/entry/**', '**/*.config.*'],
    rules: { 'no-console': 'off' },
  },
)
