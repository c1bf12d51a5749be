{#-
    Renames a relation that cannot be replaced in place. `drop … cascade` would also drop what reads
    it, such as published marts and analysts' own views; these go on reading the retired relation
    until they are replaced.
-#}
{% macro retire(relation) %}
    {%- if relation is not none -%}
        {%- set name = 'retired_' ~ local_md5(relation ~ modules.datetime.datetime.now())[:12] -%}
        {%- do adapter.rename_relation(relation, relation.incorporate(path={'identifier': name})) -%}
    {%- endif -%}
{% endmacro %}

{#-
    A post-hook of every model: the table that a full refresh of dbt's incremental materialization
    has just replaced, and would drop with `cascade`.
-#}
{% macro retire_replaced_table() %}
    {%- if execute -%}
        {%- do retire(load_cached_relation(make_backup_relation(this, 'table'))) -%}
    {%- endif -%}
{% endmacro %}

{#- Whether this materialized view still reads a relation that was retired since it was built. -#}
{% macro reads_retired(relation) %}
    {%- set found = run_query(
        "select 1 from pg_depend
        inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
        inner join pg_class on pg_depend.refobjid = pg_class.oid
        where
            pg_rewrite.ev_class = '" ~ relation ~ "'::regclass
            and pg_class.relname like 'retired\\_%'"
    ) -%}
    {{ return(found | length > 0) }}
{% endmacro %}

{#-
    At the end of a run: drops retired relations, and views of models that have left the project,
    that nothing depends on. The rest waits for a later run, as does what is being read.
-#}
{% macro drop_retired() %}
    {%- set models = graph.get('nodes', {}).values() | selectattr('resource_type', 'equalto', 'model') -%}
    do $$
    declare
        retired record;
        is_progress boolean := true;
    begin
        set local lock_timeout = '1s';
        while is_progress loop
            is_progress := false;
            for retired in
                select
                    class.oid::regclass as relation,
                    case class.relkind
                        when 'v' then 'view'
                        when 'm' then 'materialized view'
                        else 'table'
                    end as kind
                from pg_class as class
                where
                    class.relnamespace::regnamespace::text like 'worklist%'
                    and (
                        (class.relkind in ('r', 'v', 'm') and class.relname like 'retired\_%')
                        or (
                            class.relkind = 'v'
                            and class.relnamespace = to_regnamespace('worklist_build')
                            and class.relname not in (
                                '{{ models | map(attribute="alias") | join("', '") }}'
                            )
                        )
                    )
            loop
                begin
                    execute format('drop %s %s', retired.kind, retired.relation);
                    is_progress := true;
                exception when dependent_objects_still_exist or lock_not_available then
                    null;
                end;
            end loop;
        end loop;
    end $$
{% endmacro %}
