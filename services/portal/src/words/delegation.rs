//! Guardians: naming them, acting for somebody.

words! {
    /// See [`super`].
    Delegation {
        title: "Guardians", "监护人";
        link: "Guardians: people who act for you, and people you act for", "监护人：代您行事的人，以及您代其行事的人";
        lead: "Let somebody you trust act for you, at one hospital, for as long as you say. You see everything they do, and you can end it at any time.", "让您信任的人在一家医院代您行事，期限由您决定。您能看到其所有操作，并可随时终止。";
        yours: "They act for you", "代您行事的人";
        none: "You have named nobody", "您尚未指定监护人";
        none_text: "Whoever you name appears here, with what they may do and until when.", "您指定的人会显示在这里，包括权限和期限。";
        held: "You act for them", "您代其行事的人";
        give: "Name a guardian", "指定监护人";
        give_lead: "Ask them for their patient ID and for the name they registered with. They begin once the authority has endorsed it.", "请向对方索取患者编号及注册姓名。经管理机构背书后生效。";
        patient_id: "Their patient ID", "对方的患者编号";
        patient_id_bad: "Enter the ten digits of their patient ID", "请输入对方的 10 位患者编号";
        name: "Their name", "对方姓名";
        name_bad: "Enter their name, as they registered", "请输入对方注册时的姓名";
        nobody: "Nobody is enrolled with this patient ID and this name", "没有与此患者编号和姓名相符的注册者";
        hospital: "For your records at", "适用医院";
        hospital_bad: "Choose a hospital", "请选择医院";
        scope: "What may they do?", "对方可以做什么？";
        scope_read: "Read my records, and who viewed them", "阅读我的病历及查阅记录";
        scope_decide: "Decide on requests for my records", "决定对我病历的授权请求";
        scope_both: "Both", "两者均可";
        scope_bad: "Choose what they may do", "请选择权限";
        end_date: "Until when?", "截止时间？";
        days_30: "30 days", "30 天";
        days_365: "One year", "一年";
        days_1826: "Five years", "五年";
        days_bad: "Choose until when", "请选择截止时间";
        named: "They are named. It is on the ledger.", "已指定，并已记入账本。";
        until: "Until {time}", "至 {time}";
        state_holds: "In force", "有效";
        state_waiting: "Waiting for endorsement", "等待背书";
        state_ended: "Ended", "已终止";
        state_over: "Over", "已到期";
        end: "End it", "终止";
        ended: "It is ended. They can do nothing more for you.", "已终止，对方不能再代您行事。";
        give_back: "Give it back", "放弃";
        unnamed: "Name not available", "姓名不可用";
        acting: "You are acting for {name}", "您正在代{name}行事";
        acting_text: "Everything you do here is recorded with your name, and {name} sees it.", "您在此的所有操作均以您的姓名记录，{name}可以看到。";
        stop: "Back to yourself", "返回本人";
        records: "Records of {name}", "{name}的病历";
        views: "Who viewed the records of {name}", "谁查阅了{name}的病历";
        requests: "Requests for the records of {name}", "对{name}病历的授权请求";
        to_records: "Records", "病历";
        to_views: "Who viewed", "查阅记录";
        to_requests: "Requests", "授权请求";
        somebody: "A person", "某人";
        decided_by: "Decided by", "决定者";
        decided_by_guardian: "A guardian, for the patient", "监护人代患者决定";
    }
}
