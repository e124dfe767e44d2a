//! Emergency access, with the ledger and without it.

words! {
    /// See [`super`].
    Emergency {
        title: "Emergency access", "紧急访问";
        lead: "Break the glass only to save life or limb. The patient and the regulator are told at once, your name and reason are recorded, and every use is reviewed.", "仅在抢救生命时使用。患者和监管方会立即收到通知，您的姓名和理由将被记录，每次使用都会审查。";
        hospital_bad: "Choose a hospital", "请选择医院";
        patient: "Patient's ledger id at that hospital", "患者在该院的账本标识";
        patient_hint: "32 digits and letters, from the patient's card or from a found record", "32 位，见患者卡或检索到的病历";
        patient_bad: "Enter the 32 digits and letters of the patient's id", "请输入 32 位患者标识";
        records: "Record numbers", "病历号";
        records_hint: "One a line", "每行一个";
        reason: "Reason", "理由";
        reason_bad: "Enter the reason", "请说明理由";
        open: "Open emergency access", "开启紧急访问";
        opened_none: "Records at this hospital are opened under it by their numbers. Go back and enter the numbers, or find the records first.", "请按病历号打开该院病历：返回填写病历号，或先检索病历。";
        opened: "Emergency access is open for four hours.", "紧急访问已开启，四小时内有效。";
        silent: "The ledger does not answer", "账本没有响应";
        silent_text: "Emergency access cannot be opened now, because it could not be put on the ledger first. If you cannot wait, you can see records without the ledger.", "由于无法先记入账本，目前不能开启紧急访问。如不能等待，可在账本中断时查看病历。";
        without: "See records without the ledger", "账本中断时查看病历";
        without_lead: "Only to save life or limb, and only while the ledger does not answer. This is what will happen:", "仅限抢救生命，且仅在账本没有响应时使用。将会发生以下情况：";
        without_step_signed: "Your name, the reason, the time and the records are signed and written to the hospital's journal. Only then are the records shown.", "您的姓名、理由、时间和病历先经签名并写入医院日志，然后才显示病历。";
        without_step_told: "The hospital puts the view on the ledger as soon as it answers. The patient and the regulator are told then.", "账本恢复后，医院立即将此次查阅记入账本，并通知患者和监管方。";
        without_step_reviewed: "The regulator always reviews it. It cannot be taken back.", "监管方必定审查，且无法撤销。";
        records_bad: "Enter record numbers of 32 digits and letters, one a line", "请输入 32 位病历号，每行一个";
        records_not: "These are not all records of this patient at this hospital, or you do not act for a hospital", "这些病历并非均属该患者在该院的病历，或您不隶属任何医院";
        without_open: "Show the records", "显示病历";
        writing: "Writing to the hospital's journal", "正在写入医院日志";
        answers_title: "The ledger answers again", "账本已恢复响应";
        answers: "Open emergency access the usual way: it is recorded before the records are shown, and the patient and the regulator are told at once.", "请按常规开启紧急访问：先记录再显示病历，并立即通知患者和监管方。";
        journaled: "Shown without the ledger", "在账本中断时显示";
        journaled_text: "This view is in the hospital's signed journal and not on the ledger yet.", "此次查阅已写入医院的签名日志，尚未记入账本。";
        see_state: "What becomes of it", "查看处理进展";
        state: "View without the ledger", "账本中断时的查阅";
        state_lead: "You saw these records while the ledger did not answer. This page follows what becomes of it.", "您在账本没有响应时查看了这些病历。本页显示后续进展。";
        state_journal: "In the hospital's journal", "医院日志";
        state_journal_text: "Signed by the hospital {time}, before the records were shown", "医院于 {time} 签名，先于病历显示";
        state_signed: "Signed", "已签名";
        state_ledger: "On the ledger", "记入账本";
        state_ledger_waits: "The hospital tells the ledger as soon as it answers", "账本恢复后由医院立即记入";
        state_ledger_told: "The patient and the regulator have been told", "已通知患者和监管方";
        state_waits: "Waiting", "等待中";
        state_told: "Recorded", "已记录";
        state_review: "Reviewed by the regulator", "监管方审查";
        state_review_text: "Every view without the ledger is reviewed", "每次账本中断时的查阅都须审查";
        again: "Back to the records", "返回病历";
        own: "Your views without the ledger", "您在账本中断时的查阅";
        state_later: "Not yet", "尚未开始";
        not_on_ledger: "Not on the ledger yet", "尚未记入账本";
    }
}
