{{/* Annotations of what only `helm test` needs. */}}
{{- define "splatworks.testHook" -}}
helm.sh/hook: test
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
